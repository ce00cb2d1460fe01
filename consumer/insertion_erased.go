package consumer

import (
	"sluice/consumer/erased"
	"sluice/internal/event"
)

// The table that holds erased rows back has everything that an insertion may ask of a table.
var (
	_ partitioned = (*erased.Table)(nil)
	_ sharder     = (*erased.Table)(nil)
	_ explainer   = (*erased.Table)(nil)
)

// countErased counts the rows that are erased as dropped, also those that were inserted before the erasure. It returns
// true.
func (i *insertion) countErased() bool {
	b := i.batch
	gone := i.p.table.Erased(b.rows)
	if len(gone) == 0 {
		return true
	}
	if b.drop == nil {
		b.drop = map[string]int{}
	}
	b.drop[erased.Step] += len(gone)
	left := gone
	for row, o := range b.rows.Owners() {
		if len(left) == 0 {
			break
		}
		if row == int(left[0]) {
			left = left[1:]
			e := event.Envelope{
				Project: string(o.Project), Format: string(o.Format), ReceivedAt: b.rows.ReceivedAt(row),
			}
			b.counts.Dropped(&e, 0, erased.Step)
		}
	}
	i.p.log.Debug("rows are erased", "first", b.First, "last", b.Last, "rows", len(gone))
	return true
}
