package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// gate is where all workers of a run wait when the gateway asked one of them to: a client that is told Retry-After and lets
// its other connections go on has not understood.
type gate struct {
	mu     sync.Mutex
	opens  time.Time
	closed time.Duration
}

// maxPause bounds what a single Retry-After can ask for.
const maxPause = 5 * time.Minute

// hold keeps the gate shut for d from now on. A longer hold that is in force already stays.
func (g *gate) hold(d time.Duration) {
	d = min(d, maxPause)
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := now.Add(d); until.After(g.opens) {
		g.closed += until.Sub(later(now, g.opens))
		g.opens = until
	}
}

// pass waits until the gate is open. waited says that it was not, and the passage is then spread a little, so that all
// connections do not come back in the same instant.
func (g *gate) pass(ctx context.Context) (waited bool, err error) {
	for {
		g.mu.Lock()
		left := time.Until(g.opens)
		g.mu.Unlock()
		if left <= 0 {
			return waited, ctx.Err()
		}
		waited = true
		if err := sleep(ctx, left+jitter(min(left/20, 250*time.Millisecond))); err != nil {
			return waited, err
		}
	}
}

// paused is how long the gate has been shut in all, the rest of a present hold included.
func (g *gate) paused() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// jitter returns a random duration in [0, d].
func jitter(d time.Duration) time.Duration { return rand.N(d + 1) }

// sleep waits for d or until ctx ends, whose error it then returns.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
