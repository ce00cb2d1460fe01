package consumer

import (
	"context"
	"time"
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
		err := p.graves.Write(ctx, p.id, b.dead)
		if err == nil {
			break
		}
		if !w.failed(ctx, blockedDead, err) {
			return false
		}
	}
	for i := range b.dead {
		p.metrics.dead.WithLabelValues(string(b.dead[i].Reason)).Inc()
	}
	p.log.Warn("records became dead letters", "partition", p.id, "count", len(b.dead), "first_reason", b.dead[0].Reason, "first_offset", b.dead[0].Offset)
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
	losing bool   // refused, and nothing of this block accepted since
	streak uint64 // what ClickHouse had accepted before that
	last   error  // of the last refusal
	doubts doubts
	causes map[int32]*cause // by row that was refused alone
}

// settle brings the batch's rows in, all of them, once. It returns false when it was abandoned.
func (p *partition) settle(ctx context.Context, b *batch, loop loop) bool {
	token := b.token(tableName, p.topic, p.id)
	s := newSettlement(token, b.rows.Offsets(), b.sealedAt, b.doubt, b.split, b.span.sized)
	s.sure = p.sure
	d := &delivery{partition: p, batch: b, waits: p.waits(loop), loop: loop, settlement: s}
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
			alive = d.hopeless(ctx)
		}
		if !alive {
			return false
		}
	}
}

// read asks which rows are missing. Whoever doubts makes sure first that the partition is still its own.
func (d *delivery) read(ctx context.Context) bool {
	if time.Since(time.Unix(0, d.saved.Load())) > trusted && !d.ask(ctx, ask{}) {
		return false
	}
	asked := time.Now()
	missing, err := d.table.missing(ctx, d.topic, d.id, d.batch.rows)
	if err != nil {
		return d.waits.failedRead(ctx, err)
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
	if d.settlement.sized {
		if err := d.placed(ctx); err != nil {
			return d.waits.failed(ctx, blockedClickHouse, err)
		}
	}
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
		d.size.fits(rows)
		d.doubts, d.losing = doubts{convicted: d.doubts.convicted}, false
		d.waits.passed()
		d.count(rows, time.Since(start))
		return true
	}
	d.metrics.insertErrors.WithLabelValues(codeLabel(err)).Inc()
	if ctx.Err() != nil {
		return false
	}
	switch faultOf(err) {
	case faultData:
		return d.refused(ctx, err)
	case faultSize:
		return d.oversized(ctx, rows, err)
	case faultUnclear:
		return d.unclear(ctx, err)
	}
	if isUnknown(err) {
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

// ask has the ranges committed, with a mark on the batch's if q says so, and says whether the partition is still ours.
func (d *delivery) ask(ctx context.Context, q ask) bool {
	q.first, q.answer = d.batch.first, make(chan bool, 1)
	select {
	case d.asks <- q:
		return <-q.answer
	case <-ctx.Done():
		return false
	}
}
