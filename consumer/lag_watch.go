package consumer

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// lagInterval is how often the ends of partitions are asked for that are not being fetched, because ClickHouse, the group or their
	// leader is away.
	lagInterval = 5 * time.Second
	// lagAsks is how many partitions are asked for at a time.
	lagAsks = 8
)

// watchLag keeps lag alive for partitions that nobody fetches, until ctx ends.
func (c *Consumer) watchLag(ctx context.Context) {
	ticker := time.NewTicker(lagInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var asks errgroup.Group
		asks.SetLimit(lagAsks)
		for id, l := range c.metrics.lags.list() {
			if l.stale(lagInterval) {
				asks.Go(func() error { askLag(ctx, c.kafka, id, l); return nil })
			}
		}
		_ = asks.Wait() // has no errors: what is not answered stays as it was
	}
}

// askLag asks a partition's leader for its end, and for the age of the oldest record if it is not known.
func askLag(ctx context.Context, kafka source, partition int, l *lag) {
	if _, end, err := kafka.Bounds(ctx, partition); err == nil {
		l.ends(end)
	}
	offset, ok := l.unknown()
	if !ok {
		return
	}
	answer, err := kafka.Fetch(ctx, partition, offset, fetchWait)
	if err != nil {
		return
	}
	for r, err := range answer.Records {
		if err == nil {
			l.arrives(r.Offset, r.Timestamp)
		}
		return
	}
}
