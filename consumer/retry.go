package consumer

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is how long to wait between tries: it doubles from 100 ms up to a bound, with jitter, so that consumers do not come
// back from an outage in step.
type backoff struct {
	next time.Duration
}

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

// wait waits and says whether ctx is still alive.
func (b *backoff) wait(ctx context.Context) bool { return b.waitAtMost(ctx, backoffMost) }

// waitAtMost is wait with another bound.
func (b *backoff) waitAtMost(ctx context.Context, most time.Duration) bool {
	b.next = min(max(2*b.next, backoffFirst), most)
	return sleep(ctx, b.next/2+rand.N(b.next/2))
}

// sleep waits and says whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
