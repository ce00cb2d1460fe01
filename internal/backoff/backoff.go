// Package backoff waits between tries of something outside the process.
//
// A Backoff doubles its wait with each try, up to a bound, and adds jitter, so that many processes do not come back from an outage
// in step. Its zero value begins at 100 ms. Both kinds of wait end with their context, and say so.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

const (
	first = 100 * time.Millisecond
	// Max is the longest wait between two tries of Wait.
	Max = 5 * time.Second
)

// Backoff is the wait between tries of one thing. The zero value is ready, and is what to go back to after a success. It is not safe
// for concurrent use.
type Backoff struct {
	next time.Duration
}

// Wait waits for the next try. It returns false if ctx has ended.
func (b *Backoff) Wait(ctx context.Context) bool { return b.WaitAtMost(ctx, Max) }

// WaitAtMost is Wait with another bound.
func (b *Backoff) WaitAtMost(ctx context.Context, most time.Duration) bool {
	b.next = min(max(2*b.next, first), most)
	return Sleep(ctx, b.next/2+rand.N(b.next/2))
}

// Sleep waits for d. It returns false if ctx has ended.
func Sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
