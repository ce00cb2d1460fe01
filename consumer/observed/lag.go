package observed

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/consumer/lag"
)

const (
	// lagAsks is how many leaders are asked at a time.
	lagAsks = 8
	// askWait is how long the broker may hold the fetch of a record whose age is asked for.
	askWait = 500 * time.Millisecond
)

// WatchLag updates the lag of partitions that are not being fetched, until ctx ends. It asks the leaders that have not
// said for that long where their partitions end.
func WatchLag(ctx context.Context, kafka Source, lags *lag.Lags, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		var asks errgroup.Group
		asks.SetLimit(lagAsks)
		for id, l := range lags.List() {
			if l.Stale(every) {
				asks.Go(func() error { AskLag(ctx, kafka, id, l); return nil })
			}
		}
		_ = asks.Wait() // has no errors: without an answer the lag stays as it was
	}
}

// AskLag asks a partition's leader for the end, and fetches the oldest record if its age is unknown.
func AskLag(ctx context.Context, kafka Source, partition int, l *lag.Lag) {
	if _, end, err := kafka.Bounds(ctx, partition); err == nil {
		l.Ends(end)
	}
	offset, ok := l.Unknown()
	if !ok {
		return
	}
	answer, err := kafka.Fetch(ctx, partition, offset, askWait)
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
