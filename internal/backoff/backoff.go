// Package backoff waits between attempts to reach something outside the process.
//
// A Backoff doubles its wait after each attempt, up to a bound, and adds jitter, so that many processes do not all
// return from an outage at the same moment. Its zero value starts at 100 ms. Wait, WaitAtMost and Sleep return early,
// with false, when their context ends.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	first = 100 * time.Millisecond
	// Max is the longest wait between two attempts with Wait.
	Max = 5 * time.Second
)

// Backoff waits between attempts at one operation. The zero value is ready. Reset it to the zero value after a success.
// A Backoff is not safe for concurrent use.
type Backoff struct {
	next time.Duration
}

// Wait waits until the next attempt, at most Max. It returns false if ctx ended.
func (b *Backoff) Wait(ctx context.Context) bool { return b.WaitAtMost(ctx, Max) }

// WaitAtMost is Wait with the bound most.
func (b *Backoff) WaitAtMost(ctx context.Context, most time.Duration) bool {
	b.next = min(max(2*b.next, first), most)
	return Sleep(ctx, b.next/2+rand.N(b.next/2))
}

// Sleep waits for d, not at all if d is negative. It returns false if ctx ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
