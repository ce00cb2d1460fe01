package consumer

import (
	"context"
	"slices"
	"sluice/consumer/clickhouse"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	rowsroom "sluice/consumer/rows"
)

// doubts are what a delivery has seen of refusals that may be the rows' fault or not.
type doubts struct {
	code      int    // of the last unclear refusal
	times     int    // in a row that it came
	before    uint64 // what ClickHouse had accepted before the first of these
	convicted []int  // codes that are taken for the rows' fault
}

const (
	// unclearOthers is how often an unclear refusal must come for the same rows while others are accepted, to be theirs.
	unclearOthers = 2
	// unclearAlone is how often it must come when nothing else is accepted: then only halves can tell.
	unclearAlone = 4
	// unclearRow is how often a row must be refused alone, with an unclear code, before it becomes a dead letter.
	unclearRow = 3
)

// unclear deals with a code that proves nothing by itself. If it comes again for these rows while others are accepted, it is theirs. If
// nothing else comes to compare them with, the halves are compared: one of them goes in, or nothing does and it is the setup.
func (d *insertion) unclear(ctx context.Context, err error) bool {
	code := clickhouse.Code(err)
	if slices.Contains(d.doubts.convicted, code) {
		return d.refused(ctx, err)
	}
	if d.doubts.code != code {
		d.doubts.code, d.doubts.times, d.doubts.before = code, 0, d.partition.accepted.Load()
	}
	d.doubts.times++
	others := d.partition.accepted.Load() != d.doubts.before
	if d.doubts.times < unclearOthers || !others && d.doubts.times < unclearAlone {
		return d.waits.failed(ctx, blockedClickHouse, err)
	}
	d.doubts.convicted = append(d.doubts.convicted, code)
	return d.refused(ctx, err)
}

// refused deals with a block that ClickHouse refuses for what is in it. Before the first part of it is inserted, the range is marked.
func (d *insertion) refused(ctx context.Context, err error) bool {
	if d.last == nil {
		d.before = d.partition.accepted.Load()
		d.log.Warn("clickhouse refuses a block for what is in it, looking for the row",
			"partition", d.partition.id, "first", d.batch.First, "last", d.batch.Last, "err", clickhouse.ReasonText(err))
	}
	if !d.losing {
		d.losing, d.streak = true, d.partition.accepted.Load()
	}
	d.last = err
	mark, row := d.Refuse()
	if mark {
		return d.ask(ctx, ask{split: true})
	}
	if row >= 0 {
		d.alone(row, err)
	}
	return true
}

// alone notes why a row was refused alone.
func (d *insertion) alone(row int32, err error) {
	if d.causes == nil {
		d.causes = map[int32]*cause{}
	}
	c := d.causes[row]
	if c == nil {
		c = &cause{}
		d.causes[row] = c
	}
	c.err, c.after = err, d.partition.accepted.Load()
	c.times++
}

// cause is why a row was refused alone, how often, and what ClickHouse had accepted by the last time.
type cause struct {
	err   error
	times int
	after uint64
	gone  int // how often in a row its record was not found on the topic
}

// proven says that a row was refused often enough for its error's code.
func (c *cause) proven() bool {
	return clickhouse.FaultOf(c.err) == clickhouse.FaultData || c.times >= unclearRow
}

// judge decides about rows that were refused alone. It takes evidence that the row is at fault and not the table: something else
// must have been accepted since, or nearly all of the block be in. Until then the partition waits.
func (d *insertion) judge(ctx context.Context) bool {
	if d.partition.accepted.Load() == d.before && !d.Most {
		if !d.waits.failed(ctx, blockedSetup, d.last) {
			return false
		}
		d.Restart(true)
		return true
	}
	for _, row := range d.Suspects {
		if !d.causes[row].proven() {
			return d.again(ctx, row)
		}
	}
	return d.condemn(ctx, d.Suspects[0])
}

// again has the rows that were refused alone tried alone again.
func (d *insertion) again(ctx context.Context, row int32) bool {
	if !d.waits.failed(ctx, blockedClickHouse, d.causes[row].err) {
		return false
	}
	d.Restart(false)
	return true
}

// hopeless deals with a block of which nothing was accepted for long. It may be the table: the partition waits. But if others are accepted,
// the block is full of bad rows: those that are refused alone even then are condemned, and the search goes on.
func (d *insertion) hopeless(ctx context.Context) bool {
	if d.partition.accepted.Load() == d.streak || len(d.Suspects) == 0 {
		if !d.waits.failed(ctx, blockedSetup, d.last) {
			return false
		}
		d.Restart(true)
		return true
	}
	for _, row := range d.Suspects {
		if c := d.causes[row]; c.proven() && c.after != d.streak {
			return d.condemn(ctx, row)
		}
	}
	return d.again(ctx, d.Suspects[0])
}

// condemn makes a dead letter of a row.
func (d *insertion) condemn(ctx context.Context, row int32) bool {
	c := d.causes[row]
	column := ""
	if e, ok := d.table.(explainer); ok {
		column = e.Column(ctx, c.err)
	}
	letter, err := d.exhume(ctx, row, column)
	if err == nil {
		err = d.graves.Write(ctx, d.partition.id, []kafka.DeadLetter{letter})
	}
	if err != nil {
		return d.waits.failed(ctx, blockedDead, err)
	}
	d.waits.passed()
	d.Buried(row)
	if len(d.Suspects) == 0 { // more of them takes more evidence
		d.Settlement.Refused, d.losing = 0, false
	}
	d.metrics.dead.WithLabelValues(string(letter.Reason)).Inc()
	d.log.Warn("a row that clickhouse refuses became a dead letter",
		"partition", d.partition.id, "offset", letter.Offset, "column", column, "err", clickhouse.ReasonText(c.err))
	return true
}

// oversized deals with a block that is larger than ClickHouse takes: it goes in by smaller parts. If it was of one table partition, the next
// batches are cut smaller: those of several may be as large as before.
func (d *insertion) oversized(ctx context.Context, rows *rowsroom.Block, err error) bool {
	if known := d.placed(ctx); known != nil {
		return d.waits.failed(ctx, blockedClickHouse, known)
	}
	piece := d.Pieces[0]
	all := d.RowsOf(piece)
	weight, places := d.Weight(all), d.PlacesOf(all)
	step := d.TooLarge()
	if step == delivery.SizeStuck {
		d.Restart(false)
		return d.waits.failed(ctx, d.blockedBySize(err), err)
	}
	if !piece.Claim && places == 1 {
		if bytes, smaller := d.size.tooLarge(weight); smaller {
			d.log.Warn("a block is too large for clickhouse: it is inserted in parts, and the next ones are smaller",
				"partition", d.partition.id, "rows", rows.Rows(), "batch_bytes", bytes, "err", clickhouse.ReasonText(err), "hint", hint(err))
		}
	}
	return step != delivery.SizeMark || d.ask(ctx, ask{sized: true})
}

// blockedBySize says who must act when a single row is too large. A query that takes too long, or a server that is out of memory, passes.
func (d *insertion) blockedBySize(err error) string {
	switch clickhouse.Code(err) {
	case 159, 160, 173:
		return blockedClickHouse
	}
	return blockedSetup
}

// placed works out what the settlement must know of the rows to halve them for their size.
func (d *insertion) placed(ctx context.Context) error {
	if d.Places != nil {
		return nil
	}
	places := d.batch.rows.Partitions()
	if s, ok := d.table.(sharder); ok {
		shards, err := s.ShardOf(ctx, d.batch.rows)
		if err != nil {
			return err
		}
		for row, shard := range shards {
			places[row] += int32(shard) << 16 //nolint:gosec // a few shards; months are fewer than 1<<16
		}
	}
	d.Places, d.Weights = places, d.batch.rows.Weights()
	return nil
}

// sharder is a table that is spread over shards, each of which knows tokens of its own.
type sharder interface {
	ShardOf(ctx context.Context, b *rowsroom.Block) ([]int, error)
}

// explainer is a table that can tell which column an error is about. Empty: it is not known.
type explainer interface {
	Column(ctx context.Context, err error) string
}
