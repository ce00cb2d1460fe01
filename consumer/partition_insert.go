package consumer

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/event"
)

// insertLoop brings recorded batches into ClickHouse, one after the other.
func (p *partition) insertLoop(life, work context.Context, n int) {
	loop := loopInsert + loop(n)
	for b := range p.work {
		// What is not begun before the stop is the next owner's.
		b.finished = life.Err() == nil && p.buryDead(work, b, loop) && p.settle(work, b, loop)
		p.watch.idle(loop)
		p.done <- b
	}
}

// buryDead writes the batch's dead letters. They are acknowledged before the offset passes them; while the dead-letter topic
// is away the partition waits.
func (p *partition) buryDead(ctx context.Context, b *batch, loop loop) bool {
	if len(b.dead) == 0 {
		return true
	}
	w := p.waits(loop)
	defer w.passed()
	for {
		p.watch.beat(loop)
		err := p.graves.bury(ctx, p.id, b.dead)
		if err == nil {
			break
		}
		if !w.failed(ctx, blockedDead, err) {
			return false
		}
	}
	for i := range b.dead {
		p.metrics.dead.WithLabelValues(string(b.dead[i].reason)).Inc()
	}
	p.log.Warn("records became dead letters", "partition", p.id, "count", len(b.dead), "first_reason", b.dead[0].reason, "first_offset", b.dead[0].offset)
	return true
}

// delivery is one batch on its way through its settlement.
type delivery struct {
	*partition
	*settlement
	batch  *batch
	waits  *wait
	loop   loop
	reads  int    // in a row that took too long to be worth anything
	before uint64 // what ClickHouse had accepted before the first refusal
	last   error  // of the last refusal
}

// settle brings the batch's rows in, all of them, once. It returns false when it was abandoned.
func (p *partition) settle(ctx context.Context, b *batch, loop loop) bool {
	token := b.token(tableName, p.topic, p.id)
	d := &delivery{partition: p, batch: b, waits: p.waits(loop), loop: loop, settlement: newSettlement(token, b.rows.offset, b.sealedAt, b.doubt, b.split)}
	d.settlement.sure = p.sure
	defer d.waits.passed()
	for {
		p.watch.beat(loop)
		alive := true
		switch d.next(time.Now()) {
		case stepDone:
			return true
		case stepRead:
			alive = d.read(ctx)
		case stepInsert:
			alive = d.insert(ctx)
		case stepSuspects:
			alive = d.judge(ctx)
		case stepHopeless:
			if alive = d.waits.failed(ctx, blockedSetup, d.last); alive {
				d.again()
			}
		}
		if !alive {
			return false
		}
	}
}

// read asks which rows are missing. Whoever doubts makes sure first that the partition is still its own.
func (d *delivery) read(ctx context.Context) bool {
	if time.Since(time.Unix(0, d.saved.Load())) > trusted && !d.ask(ctx, false) {
		return false
	}
	asked := time.Now()
	missing, err := d.table.missing(ctx, d.topic, d.id, d.batch.rows)
	if err != nil {
		return d.waits.failed(ctx, blockedClickHouse, err)
	}
	if time.Since(asked) > trusted && d.reads < 3 {
		d.reads++
		return true // too much may have happened since; again
	}
	if d.reads > 0 {
		d.reads, asked = 0, time.Now()
	}
	d.log.Debug("range compared with the table", "partition", d.partition.id, "first", d.batch.first, "last", d.batch.last, "missing", len(missing))
	d.found(missing, asked)
	return true
}

// insert sends the piece that comes next.
func (d *delivery) insert(ctx context.Context) bool {
	piece := d.pieces[0]
	rows := d.batch.rows
	if piece.rows != nil {
		rows = rows.pick(piece.rows)
	}
	start := time.Now()
	err := d.table.insert(ctx, rows, piece.token)
	if err == nil {
		crash("after_insert")
		d.settlement.accepted()
		d.partition.accepted.Add(1)
		d.waits.passed()
		d.count(rows, time.Since(start))
		return true
	}
	d.metrics.insertErrors.WithLabelValues(codeLabel(err)).Inc()
	switch {
	case ctx.Err() != nil:
		return false
	case isData(err):
		return d.refused(ctx, err)
	case isUnknown(err):
		d.unknown()
	}
	return d.waits.failed(ctx, blockedClickHouse, err)
}

func (d *delivery) count(rows *block, took time.Duration) {
	n := rows.rows()
	d.metrics.rows.Add(float64(n))
	d.metrics.batchRows.Observe(float64(n))
	d.metrics.insertDuration.Observe(took.Seconds())
	d.metrics.endToEnd.Observe(max(0, time.Since(d.batch.oldest).Seconds())) // clocks differ
	d.log.Debug("block inserted", "partition", d.partition.id, "first", d.batch.first, "last", d.batch.last, "rows", n, "took", took)
}

// refused deals with a block that ClickHouse refuses for what is in it. Before the first part of it is inserted, the range is marked.
func (d *delivery) refused(ctx context.Context, err error) bool {
	if d.last == nil {
		d.before = d.partition.accepted.Load()
		d.log.Warn("a block is refused for what is in it, looking for the row", "partition", d.partition.id, "first", d.batch.first, "last", d.batch.last, "err", err)
	}
	d.last = err
	return !d.refuse() || d.ask(ctx, true)
}

// ask has the ranges committed, and says whether the partition is still ours.
func (d *delivery) ask(ctx context.Context, split bool) bool {
	q := ask{first: d.batch.first, split: split, answer: make(chan bool, 1)}
	select {
	case d.asks <- q:
		return <-q.answer
	case <-ctx.Done():
		return false
	}
}

// judge decides about rows that were refused alone. It takes evidence that the row is at fault and not the table: something else
// must have been accepted since, or nearly all of the block be in. Until then the partition waits.
func (d *delivery) judge(ctx context.Context) bool {
	if d.partition.accepted.Load() == d.before && !d.most {
		if !d.waits.failed(ctx, blockedSetup, d.last) {
			return false
		}
		d.again()
		return true
	}
	row := d.suspects[0]
	letter, err := d.exhume(ctx, d.offsets[row])
	if err == nil {
		err = d.graves.bury(ctx, d.partition.id, []deadLetter{letter})
	}
	if err != nil {
		return d.waits.failed(ctx, blockedDead, err)
	}
	d.waits.passed()
	d.buried(row)
	d.metrics.dead.WithLabelValues(string(letter.reason)).Inc()
	d.log.Warn("a row that clickhouse refuses became a dead letter", "partition", d.partition.id, "offset", letter.offset, "err", d.last)
	return true
}

// exhume reads a record again, because its row has no key and no headers.
func (d *delivery) exhume(ctx context.Context, offset int64) (letter deadLetter, err error) {
	found := false
	_, err = d.kafka.fetch(ctx, d.partition.id, offset, fetchWait, func(r *record) error {
		if r.offset == offset {
			letter = newDeadLetter(r, &event.RecordError{Reason: event.DeadRefusedByDatabase, Detail: d.last.Error()})
			found = true
		}
		return errStopped
	})
	if !found {
		return letter, fmt.Errorf("read the record at %d again: %w", offset, err)
	}
	return letter, nil
}
