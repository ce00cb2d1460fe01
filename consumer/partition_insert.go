package consumer

import (
	"context"
	"sluice/consumer/clickhouse"
	deliveryroom "sluice/consumer/delivery"
	rowsroom "sluice/consumer/rows"
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

// insertion is one batch on its way through its settlement.
type insertion struct {
	*partition
	*deliveryroom.Settlement
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
	token := b.Token(clickhouse.TableName, p.topic, p.id)
	s := deliveryroom.NewSettlement(token, b.rows.Offsets(), b.SealedAt, b.doubt, b.Split, b.Range.Sized)
	s.Sure = p.sure
	d := &insertion{partition: p, batch: b, waits: p.waits(loop), loop: loop, Settlement: s}
	defer d.waits.passed()
	for {
		p.watch.beat(loop)
		alive := true
		switch d.Next(time.Now()) {
		case deliveryroom.StepDone:
			return true
		case deliveryroom.StepRead:
			alive = d.read(ctx)
		case deliveryroom.StepInsert:
			alive = d.insert(ctx)
		case deliveryroom.StepSuspects:
			alive = d.judge(ctx)
		case deliveryroom.StepHopeless:
			alive = d.hopeless(ctx)
		}
		if !alive {
			return false
		}
	}
}

// read asks which rows are missing. Whoever doubts makes sure first that the partition is still its own.
func (d *insertion) read(ctx context.Context) bool {
	if time.Since(time.Unix(0, d.saved.Load())) > deliveryroom.Trusted && !d.ask(ctx, ask{}) {
		return false
	}
	asked := time.Now()
	missing, err := d.table.Missing(ctx, d.topic, d.id, d.batch.rows)
	if err != nil {
		return d.waits.failedRead(ctx, err)
	}
	if time.Since(asked) > deliveryroom.Trusted && d.reads < 3 {
		d.reads++
		return true // too much may have happened since; again
	}
	if d.reads > 0 {
		d.reads, asked = 0, time.Now()
	}
	d.log.Debug("range compared with the table", "partition", d.partition.id, "first", d.batch.First, "last", d.batch.Last, "missing", len(missing))
	d.Found(missing, asked)
	return true
}

// insert sends the piece that comes next.
func (d *insertion) insert(ctx context.Context) bool {
	if d.Settlement.Sized {
		if err := d.placed(ctx); err != nil {
			return d.waits.failed(ctx, blockedClickHouse, err)
		}
	}
	piece := d.Pieces[0]
	rows := d.batch.rows
	if piece.Rows != nil {
		rows = rows.Pick(piece.Rows)
	}
	start := time.Now()
	err := d.table.Insert(ctx, rows, piece.Token)
	if err == nil {
		crash("after_insert")
		d.Settlement.Accepted()
		d.partition.accepted.Add(1)
		d.size.fits(rows.Bytes())
		d.doubts, d.losing = doubts{convicted: d.doubts.convicted}, false
		d.waits.passed()
		d.count(rows, time.Since(start))
		return true
	}
	d.metrics.insertErrors.WithLabelValues(clickhouse.CodeLabel(err)).Inc()
	if ctx.Err() != nil {
		return false
	}
	switch clickhouse.FaultOf(err) {
	case clickhouse.FaultData:
		return d.refused(ctx, err)
	case clickhouse.FaultSize:
		return d.oversized(ctx, rows, err)
	case clickhouse.FaultUnclear:
		return d.unclear(ctx, err)
	}
	if clickhouse.IsUncertain(err) {
		d.Unknown()
	}
	return d.waits.failed(ctx, blockedClickHouse, err)
}

func (d *insertion) count(rows *rowsroom.Block, took time.Duration) {
	n := rows.Rows()
	d.metrics.rows.Add(float64(n))
	d.metrics.batchRows.Observe(float64(n))
	d.metrics.insertDuration.Observe(took.Seconds())
	d.metrics.endToEnd.Observe(max(0, time.Since(d.batch.oldest).Seconds())) // clocks differ
	d.log.Debug("block inserted", "partition", d.partition.id, "first", d.batch.First, "last", d.batch.Last, "rows", n, "took", took)
}

// ask has the ranges committed, with a mark on the batch's if q says so, and says whether the partition is still ours.
func (d *insertion) ask(ctx context.Context, q ask) bool {
	q.first, q.answer = d.batch.First, make(chan bool, 1)
	select {
	case d.asks <- q:
		return <-q.answer
	case <-ctx.Done():
		return false
	}
}
