package clickhouse

import (
	"context"
	"time"

	"sluice/consumer/retention"
	"sluice/consumer/rows"
)

// unexpired leaves out of some rows those that the table does not keep any more, by its retention. ClickHouse removes
// such rows within their insert. The caller would insert them again and again, each at last alone, because they are
// still missing after every insert. A table whose TTL is not one of Sluice's keeps everything, for all that is known.
//
// It asks the server for the retention if a row is old enough that it could matter, which is rare.
func (t *Table) unexpired(ctx context.Context, b *rows.Block, missing []int32) ([]int32, error) {
	now := time.Now()
	if !receivedBefore(b, missing, now.Add(-retention.Min)) {
		return missing, nil
	}
	policy, ok, err := t.retention(ctx)
	if err != nil || !ok || !receivedBefore(b, missing, now.Add(-policy.Shortest())) {
		return missing, err
	}
	var kept []int32
	for _, row := range missing {
		if now.Sub(b.ReceivedAt(int(row))) < policy.Of(b.Project(int(row))) {
			kept = append(kept, row)
		}
	}
	return kept, nil
}

// receivedBefore reports whether the event of any of the rows was received before a time.
func receivedBefore(b *rows.Block, some []int32, at time.Time) bool {
	for _, row := range some {
		if b.ReceivedAt(int(row)).Before(at) {
			return true
		}
	}
	return false
}
