package consumer

import (
	"context"
	"time"
)

// turns lets a few partitions at a time work off what has gathered on the topic. All at once would be no faster, since it takes the
// processor, and each would have a part of a block when its age is up: small inserts, which cost ClickHouse a merge more. One after
// the other they fill whole ones. A partition that has nothing waiting on the topic needs no turn.
type turns chan struct{}

// turn is one partition's part in it. The zero value has none to take and never waits. It is not safe for concurrent use.
type turn struct {
	of   turns
	held bool
}

// take waits up to a time for a turn, and says whether the partition may go on: it has one.
func (t *turn) take(ctx context.Context, wait time.Duration) bool {
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

// end lets another one have it.
func (t *turn) end() {
	if t.held {
		t.held = false
		<-t.of
	}
}
