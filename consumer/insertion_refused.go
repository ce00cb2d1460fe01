package consumer

import (
	"context"
	"slices"

	"sluice/consumer/blocking"
	"sluice/consumer/clickhouse"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/consumer/rows"
)

// evidence is what an insertion has seen of refusals. It decides whether rows are at fault, or the table.
type evidence struct {
	slowReads int // reads in a row whose answer came too late

	refusal error  // the last one
	before  uint64 // blocks that ClickHouse had accepted before the first refusal

	losing bool   // refused, and nothing of this block accepted since
	streak uint64 // blocks that ClickHouse had accepted before that

	unclear unclear
	causes  map[int32]*cause // by row that was refused alone
}

// accepted takes that a piece went in.
func (e *evidence) accepted() {
	e.losing = false
	e.unclear = unclear{convicted: e.unclear.convicted}
}

// unclear counts refusals whose code does not say whether the rows are at fault.
type unclear struct {
	code      int    // of the last one
	times     int    // it came in a row
	before    uint64 // blocks that ClickHouse had accepted before the first of these
	convicted []int  // codes that are taken for the rows' fault
	together  int    // refusals of the rows with those of other partitions
}

// cause is why a row was refused alone.
type cause struct {
	err   error
	times int
	after uint64 // blocks that ClickHouse had accepted by the last time
	gone  int    // answers in a row in which Kafka did not have the row's record
}

// proven says that the row was refused often enough for its error's code.
func (c *cause) proven() bool {
	return clickhouse.FaultOf(c.err) == clickhouse.FaultData || c.times >= unclearRow
}

const (
	// unclearOthers is how often an unclear refusal must come for the same rows while others are accepted, to be the
	// rows' fault.
	unclearOthers = 2
	// unclearAlone is how often it must come if nothing else is accepted. Then only halves of the block can tell.
	unclearAlone = 4
	// unclearRow is how often a row must be refused alone, with an unclear code, before it becomes a dead letter.
	unclearRow = 3
)

// refusedUnclearly deals with a code that proves nothing by itself. If it comes again for these rows while others are
// accepted, the rows are at fault. If nothing else comes to compare them with, the block is halved: if one half goes
// in, the rows are at fault, else the table.
func (i *insertion) refusedUnclearly(ctx context.Context, err error) bool {
	code, u := clickhouse.Code(err), &i.evidence.unclear
	if slices.Contains(u.convicted, code) {
		return i.refused(ctx, err)
	}
	if u.code != code {
		u.code, u.times, u.before = code, 0, i.p.accepted.Load()
	}
	u.times++
	others := i.p.accepted.Load() != u.before
	if u.times < unclearOthers || !others && u.times < unclearAlone {
		return i.blocked.wait(ctx, blocking.ClickHouse, err)
	}
	u.convicted = append(u.convicted, code)
	return i.refused(ctx, err)
}

// refused deals with a block that ClickHouse refuses for its data. The range is marked before the first piece of it is
// inserted.
func (i *insertion) refused(ctx context.Context, err error) bool {
	e := &i.evidence
	if e.refusal == nil {
		e.before = i.p.accepted.Load()
		i.p.log.Warn("clickhouse refuses the data of a block, looking for the row",
			"first", i.batch.First, "last", i.batch.Last, "err", clickhouse.ReasonText(err))
	}
	if !e.losing {
		e.losing, e.streak = true, i.p.accepted.Load()
	}
	e.refusal = err
	mark, row := i.settlement.Refused()
	if mark {
		return i.save(ctx, delivery.SplitForRow)
	}
	if row >= 0 {
		i.rejectRow(row, err)
	}
	return true
}

// rejectRow notes why a row was refused alone.
func (i *insertion) rejectRow(row int32, err error) {
	e := &i.evidence
	if e.causes == nil {
		e.causes = map[int32]*cause{}
	}
	c := e.causes[row]
	if c == nil {
		c = &cause{}
		e.causes[row] = c
	}
	c.err, c.after = err, i.p.accepted.Load()
	c.times++
}

// judgeRejected decides about rows that were refused alone. It needs evidence that the row is at fault and not the
// table: something else was accepted since the first refusal, or nearly all of the block is in. Until then the
// partition waits.
func (i *insertion) judgeRejected(ctx context.Context) bool {
	if i.p.accepted.Load() == i.evidence.before && !i.settlement.NearlyAllIn() {
		return i.waitForSetup(ctx)
	}
	rejected := i.settlement.Rejected()
	for _, row := range rejected {
		if !i.evidence.causes[row].proven() {
			return i.tryAgain(ctx, row)
		}
	}
	return i.writeDeadLetter(ctx, rejected[0])
}

// allRefused deals with a block of which nothing was accepted for long. The table may be at fault: the partition waits.
// But if other blocks are accepted, the block is full of bad rows. Those that are refused alone even then become dead
// letters, and the search goes on.
func (i *insertion) allRefused(ctx context.Context) bool {
	rejected := i.settlement.Rejected()
	if i.p.accepted.Load() == i.evidence.streak || len(rejected) == 0 {
		return i.waitForSetup(ctx)
	}
	for _, row := range rejected {
		if c := i.evidence.causes[row]; c.proven() && c.after != i.evidence.streak {
			return i.writeDeadLetter(ctx, row)
		}
	}
	return i.tryAgain(ctx, rejected[0])
}

// waitForSetup waits because the table may be at fault, and begins again.
func (i *insertion) waitForSetup(ctx context.Context) bool {
	if !i.blocked.wait(ctx, blocking.Setup, i.evidence.refusal) {
		return false
	}
	i.settlement.Restart(true)
	return true
}

// tryAgain waits, and has the rejected rows tried alone again.
func (i *insertion) tryAgain(ctx context.Context, row int32) bool {
	if !i.blocked.wait(ctx, blocking.ClickHouse, i.evidence.causes[row].err) {
		return false
	}
	i.settlement.Restart(false)
	return true
}

// writeDeadLetter makes a dead letter of a rejected row and writes it.
func (i *insertion) writeDeadLetter(ctx context.Context, row int32) bool {
	c := i.evidence.causes[row]
	column := ""
	if e, ok := i.p.table.(explainer); ok {
		column = e.Column(ctx, c.err)
	}
	letter, err := i.deadLetterOfRow(ctx, row, column)
	if err == nil {
		err = i.p.deadLetters.Write(ctx, i.p.id, []kafka.DeadLetter{letter})
	}
	if err != nil {
		return i.blocked.wait(ctx, blocking.DeadLetters, err)
	}
	i.blocked.end()
	if i.settlement.DeadLettered(row); len(i.settlement.Rejected()) == 0 {
		i.evidence.losing = false
	}
	i.p.metrics.dead.WithLabelValues(string(letter.Reason)).Inc()
	i.batch.counts.Dead(i.p.topic, i.p.id, &letter)
	i.batch.traced.DeadLettered(letter.Offset, string(letter.Reason))
	i.p.log.Warn("a row that clickhouse refuses became a dead letter", "offset", letter.Offset, "column", column,
		"err", clickhouse.ReasonText(c.err))
	return true
}

// tooLarge deals with a block that is larger than ClickHouse takes: it goes in by smaller pieces. If the block was of
// one table partition, the next batches are cut smaller. Batches of several table partitions may stay as large as they
// are.
func (i *insertion) tooLarge(ctx context.Context, block *rows.Block, err error) bool {
	if !i.settlement.KnowsPlaces() {
		if failed := i.findPlaces(ctx); failed != nil {
			return i.blocked.wait(ctx, blocking.ClickHouse, failed)
		}
	}
	weight, places, claim := i.settlement.PieceSize()
	next := i.settlement.TooLarge()
	if next == delivery.SizeStuck {
		i.settlement.Restart(false)
		return i.blocked.wait(ctx, blocking.BySize(err), err)
	}
	if !claim && places == 1 {
		if bytes, smaller := i.p.size.TooLarge(weight); smaller {
			i.p.log.Warn("a block is too large for clickhouse: it goes in by pieces, and the next batches are smaller",
				"rows", block.Rows(), "batch_bytes", bytes, "err", clickhouse.ReasonText(err), "hint", blocking.Hint(err))
		}
	}
	return next != delivery.SizeMark || i.save(ctx, delivery.SplitForSize)
}

// findPlaces tells the settlement where each row goes and what it weighs.
func (i *insertion) findPlaces(ctx context.Context) error {
	byMonth := false
	if t, ok := i.p.table.(partitioned); ok {
		var err error
		if byMonth, err = t.ByMonth(ctx); err != nil {
			return err
		}
	}
	places := i.batch.rows.TablePartitions(byMonth)
	if s, ok := i.p.table.(sharder); ok {
		shards, err := s.ShardOf(ctx, i.batch.rows)
		if err != nil {
			return err
		}
		for row, shard := range shards {
			places[row] += int32(shard) << 16
		}
	}
	i.settlement.SetPlaces(places, i.batch.rows.RowBytes())
	return nil
}

// partitioned is a table that can tell whether its partitions are months, as those of earlier versions are. The pieces
// of a block go in under one token, which a table partition accepts once. So two pieces must never share one.
type partitioned interface {
	ByMonth(ctx context.Context) (bool, error)
}

// sharder is a table that is spread over shards, each of which stores its own tokens.
type sharder interface {
	ShardOf(ctx context.Context, b *rows.Block) ([]int, error)
}

// explainer is a table that can tell which column an error is about; empty if it does not know.
type explainer interface {
	Column(ctx context.Context, err error) string
}
