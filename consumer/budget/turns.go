package budget

import (
	"context"
	"time"
)

// Turns lets a few partitions at a time work off a backlog. All at once would be no faster, because the backlog takes
// CPU time, and each partition would have part of a block when its age is up. Small inserts cost ClickHouse more
// merges. One after the other, partitions fill whole blocks. A partition without a backlog needs no turn.
type Turns chan struct{}

// NewTurns makes turns for a number of partitions at a time.
func NewTurns(n int) Turns { return make(Turns, n) }

// Turn is a partition's access to turns.
func (t Turns) Turn() Turn { return Turn{of: t} }

// Turn is one partition's turn. The zero value never waits. It is not safe for concurrent use.
type Turn struct {
	of   Turns
	held bool
}

// Take waits for a turn, and says whether the partition has one.
func (t *Turn) Take(ctx context.Context, wait time.Duration) bool {
	if t.held || t.of == nil {
		return true
	}
	select {
	case t.of <- struct{}{}:
		t.held = true
		return true
	default:
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case t.of <- struct{}{}:
		t.held = true
	case <-timer.C:
	case <-ctx.Done():
	}
	return t.held
}

// Holds says whether the partition has a turn.
func (t *Turn) Holds() bool { return t.held }

// End gives the turn to another partition.
func (t *Turn) End() {
	if t.held {
		t.held = false
		<-t.of
	}
}
