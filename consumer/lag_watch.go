package consumer

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/consumer/lag"
)

// lagAsks is how many leaders are asked at a time.
const lagAsks = 8

// watchLag updates the lag of partitions that are not being fetched, until ctx ends.
func (c *Consumer) watchLag(ctx context.Context) {
	ticker := time.NewTicker(c.timing.lag)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var asks errgroup.Group
		asks.SetLimit(lagAsks)
		for id, l := range c.metrics.lags.List() {
			if l.Stale(c.timing.lag) {
				asks.Go(func() error { askLag(ctx, c.kafka, id, l); return nil })
			}
		}
		_ = asks.Wait() // has no errors: without an answer the lag stays as it was
	}
}

// askLag asks a partition's leader for the end, and fetches the oldest record if its age is unknown.
func askLag(ctx context.Context, kafka source, partition int, l *lag.Lag) {
	if _, end, err := kafka.Bounds(ctx, partition); err == nil {
		l.Ends(end)
	}
	offset, ok := l.Unknown()
	if !ok {
		return
	}
	answer, err := kafka.Fetch(ctx, partition, offset, fetchWait)
	if err != nil {
		return
	}
	for r, err := range answer.Records {
		if err == nil {
			l.Arrives(r.Offset, r.Timestamp)
		}
		return
	}
}
