package consumer

import (
	"context"
	"time"

	"sluice/consumer/alive"
	"sluice/consumer/blocking"
	"sluice/consumer/clickhouse"
	"sluice/consumer/counts"
	"sluice/consumer/delivery"
	"sluice/consumer/rows"
	"sluice/consumer/shared"
	"sluice/consumer/traced"
	"sluice/internal/crashpoint"
)

// insertion brings one recorded batch into ClickHouse: it does what a delivery.Settlement says, and tells the
// settlement what came of it.
type insertion struct {
	p          *partition
	settlement *delivery.Settlement
	batch      *batch
	blocked    *blockage
	loop       alive.Loop
	evidence   evidence

	alone bool      // the rows go in without those that share the block
	sent  time.Time // when something was sent that was not answered
}

// insert inserts a recorded batch, and gives it back to the recorder.
func (p *partition) insert(life, work context.Context, loop alive.Loop, b *batch) {
	if life.Err() == nil { // else the insert is the next owner's
		i := p.newInsertion(b, loop)
		b.inserted = i.writeDeadLetters(work) && i.run(work) && i.countErased() && i.writeOutcomes(work)
		i.blocked.end()
		i.endTrace()
	}
	p.watch.Idle(loop)
	p.done <- b
}

func (p *partition) newInsertion(b *batch, loop alive.Loop) *insertion {
	return &insertion{p: p, batch: b, blocked: p.newBlockage(loop), loop: loop,
		settlement: delivery.Settle(delivery.Block{
			Token: b.Token(clickhouse.TableName, p.topic, p.id), Offsets: b.rows.Offsets(), SealedAt: b.SealedAt,
			Uncertain: b.uncertain, Split: b.Split, TokenDurable: p.tokenDurable,
			Own: b.Own(clickhouse.TableName, p.topic, p.id),
		})}
}

// writeDeadLetters writes the batch's dead letters, before the offset can pass them. While the dead-letter topic is
// away the partition waits. It returns false if ctx ended.
func (i *insertion) writeDeadLetters(ctx context.Context) bool {
	b, p := i.batch, i.p
	if len(b.dead) == 0 {
		return true
	}
	for {
		p.watch.Beat(i.loop)
		err := p.deadLetters.Write(ctx, p.id, b.dead)
		if err == nil {
			break
		}
		if !i.blocked.wait(ctx, blocking.DeadLetters, err) {
			return false
		}
	}
	i.blocked.end()
	for n := range b.dead {
		p.metrics.dead.WithLabelValues(string(b.dead[n].Reason)).Inc()
	}
	p.log.Warn("records became dead letters", "count", len(b.dead), "first_reason", b.dead[0].Reason,
		"first_offset", b.dead[0].Offset)
	return true
}

// run returns true once all rows are in, or dead letters. It returns false if ctx ended or the partition is lost.
func (i *insertion) run(ctx context.Context) bool {
	for {
		i.p.watch.Beat(i.loop)
		alive := true
		switch i.settlement.Next(time.Now()) {
		case delivery.ActionDone:
			return true
		case delivery.ActionRead:
			alive = i.readMissing(ctx)
		case delivery.ActionInsert:
			alive = i.insertPiece(ctx)
		case delivery.ActionJudge:
			alive = i.judgeRejected(ctx)
		case delivery.ActionAllRefused:
			alive = i.allRefused(ctx)
		}
		if !alive {
			return false
		}
	}
}

// window is careful: the table remembers the tokens of 10,000 inserts into one of its partitions.
var window = delivery.Window{Life: clickhouse.InsertTimeout + 20*time.Second, Remembers: 5 * time.Minute}

// slowReads is how many answers in a row may come so late that the table may have changed since.
const slowReads = 3

// readMissing asks the table which rows it lacks. An insertion that has been stopped for long first makes sure that the
// partition is still ours.
func (i *insertion) readMissing(ctx context.Context) bool {
	p := i.p
	if from := window.LookFrom(i.batch.Range, p.progress.assigned, i.sent); time.Now().Before(from) {
		p.log.Info("an old range is compared with the table once nothing of it can be under way any more", "until", from)
		return p.outwait(ctx, i.loop, from)
	}
	if time.Since(time.Unix(0, p.progress.owned.Load())) > delivery.TokenTrust && !i.save(ctx, delivery.Whole) {
		return false
	}
	asked := time.Now()
	missing, err := p.table.Missing(ctx, p.topic, p.id, i.batch.rows)
	if err != nil {
		return i.blocked.waitAfterRead(ctx, err)
	}
	if time.Since(asked) > delivery.TokenTrust && i.evidence.slowReads < slowReads {
		i.evidence.slowReads++
		return true // ask again
	}
	if i.evidence.slowReads > 0 {
		i.evidence.slowReads, asked = 0, time.Now()
	}
	p.log.Debug("range compared with the table", "first", i.batch.First, "last", i.batch.Last, "missing", len(missing))
	i.settlement.Found(missing, asked)
	return true
}

// insertPiece inserts the settlement's next piece.
func (i *insertion) insertPiece(ctx context.Context) bool {
	if i.settlement.NeedsPlaces() {
		if err := i.findPlaces(ctx); err != nil {
			return i.blocked.wait(ctx, blocking.ClickHouse, err)
		}
	}
	piece := i.settlement.Piece()
	block := i.batch.rows
	if piece.Rows != nil {
		block = block.Pick(piece.Rows)
	}
	a := i.send(ctx, piece, block)
	if a.Stale {
		i.settlement.Unknown()
		return ctx.Err() == nil
	}
	if a.Err == nil {
		crashpoint.Reach("after_insert")
		i.batch.traced.Insert(a.Began, a.Took, "")
		if a.Doubt {
			i.settlement.Doubt()
		}
		i.accepted(block, a)
		return true
	}
	i.batch.traced.Insert(a.Began, a.Took, clickhouse.CodeLabel(a.Err))
	if a.Counts {
		i.p.metrics.insertErrors.WithLabelValues(clickhouse.CodeLabel(a.Err)).Inc()
	}
	if ctx.Err() != nil {
		return false
	}
	return i.failed(ctx, block, a)
}

// failed deals with an insert that failed.
func (i *insertion) failed(ctx context.Context, block *rows.Block, a shared.Answer) bool {
	switch fault := clickhouse.FaultOf(a.Err); {
	case fault == clickhouse.FaultUnclear && a.Together:
		i.evidence.unclear.together++ // that says little about this partition's rows: after a few, they go in alone
		i.alone = i.evidence.unclear.together >= unclearOthers
	case fault == clickhouse.FaultData:
		i.alone = true
		return i.refused(ctx, a.Err)
	case fault == clickhouse.FaultSize:
		i.alone = true
		return i.tooLarge(ctx, block, a.Err)
	case fault == clickhouse.FaultUnclear:
		return i.refusedUnclearly(ctx, a.Err)
	case clickhouse.IsUncertain(a.Err):
		i.settlement.Unknown()
		i.sent = a.Began
	}
	i.blocked.next = a.Pause
	return i.blocked.wait(ctx, blocking.ClickHouse, a.Err)
}

// accepted takes a piece that went in.
func (i *insertion) accepted(block *rows.Block, a shared.Answer) {
	p := i.p
	i.settlement.Accepted()
	p.accepted.Add(1)
	i.evidence.accepted()
	i.blocked.end()
	n := block.Rows() - len(p.table.Erased(block))
	p.metrics.rows.Add(float64(n))
	if a.Counts {
		p.size.Fits(a.Bytes)
		p.metrics.batchRows.Observe(float64(a.Rows))
		p.metrics.insertDuration.Observe(a.Took.Seconds())
	}
	// The clocks of gateway and consumer differ.
	now := time.Now()
	p.metrics.endToEnd.Observe(max(0, now.Sub(i.batch.oldest).Seconds()))
	if now.Sub(i.batch.oldest) > lateAfter {
		p.metrics.late.Add(float64(block.ReceivedBefore(now.Add(-lateAfter))))
	}
	p.log.Debug("block inserted", "first", i.batch.First, "last", i.batch.Last, "rows", n, "took", a.Took)
}

// endTrace makes the spans of the batch.
func (i *insertion) endTrace() {
	b, p := i.batch, i.p
	b.traced.End(traced.Result{
		Topic: p.topic, Group: p.cfg.Group, Table: clickhouse.TableName, Partition: p.id, Began: b.since, First: b.First,
		Last: b.Last, Records: b.Records, Rows: b.rows.Rows(), Dead: len(b.dead), Inserted: b.inserted,
	})
}

// lateAfter is the age from which on a row counts in sluice_consumer_late_rows_total.
const lateAfter = time.Minute

// writeOutcomes inserts what the batch counts, before the offset can pass it. It returns false if ctx ended.
func (i *insertion) writeOutcomes(ctx context.Context) bool {
	p, b := i.p, i.batch
	at := counts.Range{Topic: p.topic, Partition: p.id, First: b.First, Last: b.Last}
	return p.outcomes.Write(ctx, b.counts.Rows(at, b.Token(clickhouse.TableName, p.topic, p.id)), func(err error) bool {
		p.watch.Beat(i.loop)
		p.metrics.insertErrors.WithLabelValues(clickhouse.CodeLabel(err)).Inc()
		return i.blocked.wait(ctx, blocking.ClickHouse, err)
	})
}

// save has the recorder commit, and before it mark the range unless mark is Whole. It returns false if the partition is
// lost, or ctx ended.
func (i *insertion) save(ctx context.Context, mark delivery.Split) bool {
	call := saveCall{first: i.batch.First, mark: mark, owned: make(chan bool, 1)}
	select {
	case i.p.requests <- call:
		return <-call.owned
	case <-ctx.Done():
		return false
	}
}
