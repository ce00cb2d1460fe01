package shared

import (
	"context"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/rows"
)

// send makes one insert of what some partitions have. If the table refuses the rows, or takes no block of this size, it
// tries the halves, down to each partition alone: all of them under the shared token, which is the only one that others
// may have inserted these rows under. The answers to divided inserts are in doubt.
func (b *Blocks) send(ctx context.Context, one *block, all []*waiter) {
	if all = withoutStale(all, time.Now()); len(all) == 0 {
		return
	}
	blocks := blocksOf(all)
	a := Answer{Doubt: b.sending(one, all), Together: len(all) > 1, Rows: rows.Count(blocks), Bytes: rows.Bytes(blocks)}
	a.Began = time.Now()
	a.Err = b.table.Insert(ctx, all[0].Token, blocks...)
	a.Took = time.Since(a.Began)
	if divides(a.Err) && len(all) > 1 && ctx.Err() == nil {
		if clickhouse.FaultOf(a.Err) == clickhouse.FaultSize {
			b.tooLarge(int64(a.Bytes))
		}
		b.send(ctx, one, all[:len(all)/2])
		b.send(ctx, one, all[len(all)/2:])
		return
	}
	b.mu.Lock()
	if a.Err != nil {
		a.Pause = one.nextPause()
	}
	b.mu.Unlock()
	for i, w := range all {
		a.Counts = i == 0
		close(w.unlent)
		w.answer <- a
	}
}

// divides says whether parts of a block may go in where the whole did not.
func divides(err error) bool {
	if err == nil {
		return false
	}
	switch clickhouse.FaultOf(err) {
	case clickhouse.FaultData, clickhouse.FaultSize:
		return true
	}
	return false
}

// sending notes an insert of some partitions, and says whether it is in doubt.
func (b *Blocks) sending(one *block, all []*waiter) bool {
	partitions := make([]int, len(all))
	for i, w := range all {
		partitions[i] = w.Partition
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	doubt := one.sends.Doubt(partitions)
	one.sends.Sent(partitions)
	return doubt
}

// withoutStale answers the partitions that have to look at the table again, and returns the others.
func withoutStale(all []*waiter, now time.Time) (fresh []*waiter) {
	for _, w := range all {
		if now.After(w.Until) {
			close(w.unlent)
			w.answer <- Answer{Stale: true}
			continue
		}
		fresh = append(fresh, w)
	}
	return fresh
}

// blocksOf is what each partition has to insert.
func blocksOf(all []*waiter) (out []*rows.Block) {
	for _, w := range all {
		out = append(out, w.Rows)
	}
	return out
}
