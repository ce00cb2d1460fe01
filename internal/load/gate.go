package load

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"sluice/internal/backoff"
)

// gate makes all workers of a run wait after the gateway sent one of them Retry-After. The header concerns the whole
// client, so its other connections must wait as well.
type gate struct {
	mu     sync.Mutex
	opens  time.Time
	closed time.Duration
}

// maxPause bounds the pause of a single Retry-After.
const maxPause = 5 * time.Minute

// hold closes the gate for d from now on. It never shortens an earlier hold.
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

// pass waits until the gate is open. If pass waited, it adds a short random wait, so that not all connections return at
// the same instant, and waited is true.
func (g *gate) pass(ctx context.Context) (waited bool, err error) {
	for {
		g.mu.Lock()
		left := time.Until(g.opens)
		g.mu.Unlock()
		if left <= 0 {
			return waited, ctx.Err()
		}
		waited = true
		if !backoff.Sleep(ctx, left+jitter(min(left/20, 250*time.Millisecond))) {
			return waited, ctx.Err()
		}
	}
}

// paused returns how long the gate was closed in total, including the rest of the current hold.
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
