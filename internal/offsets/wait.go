package offsets

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/backoff"
)

// pollEvery is how often Wait asks how far the group is.
const pollEvery = 500 * time.Millisecond

// Wait waits until the group has come past everything that is on the topic when Wait is called. It tells progress how
// many offsets are left, whenever it has asked. It returns an error if ctx ends before.
func (g *Group) Wait(ctx context.Context, progress func(left int64)) error {
	goal, err := g.Partitions(ctx)
	if err != nil {
		return err
	}
	for now := goal; ; {
		left := behind(goal, now)
		progress(left)
		if left == 0 {
			return nil
		}
		if !backoff.Sleep(ctx, pollEvery) {
			return fmt.Errorf("the consumer group %s has %d records left: %w", g.name, left, context.Cause(ctx))
		}
		if now, err = g.Partitions(ctx); err != nil {
			return err
		}
	}
}

// behind returns how many offsets before the ends of goal the group had not come to in now.
func behind(goal, now []Partition) (left int64) {
	at := map[int]int64{}
	for _, p := range now {
		at[p.Number] = max(p.At, p.Start)
	}
	for _, p := range goal {
		left += max(0, p.End-at[p.Number])
	}
	return left
}
