package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// drainBudget is how long an insert under way may take to finish after the partition was taken from us, or the program told
// to stop. It is shorter than the group's session, so that the commit after it still counts.
const drainBudget = 10 * time.Second

// partition carries one partition's records into ClickHouse, for one generation of the group.
//
//	fetch ─▶ seal ─▶ insert ─▶ advance
//
// Records are gathered until a batch is sealed: by rows, by bytes or by age. Its dead letters are written and acknowledged,
// its rows are inserted, and only then does the committed offset advance. A crash anywhere before that means that the same
// records are read and inserted again; the table keeps one row of each event.
//
// While one batch is inserted the next is built; there are never more than two.
type partition struct {
	id       int
	offset   int64 // of the next record to fetch
	member   member
	flushAge time.Duration

	cfg     Config
	kafka   source
	store   inserter
	metrics *metrics
	log     *slog.Logger
	topic   string

	free   chan *batch
	sealed chan *batch

	done          atomic.Int64 // the committed offset
	highWatermark atomic.Int64
	fetchBeat     atomic.Int64 // when the loops last turned, in Unix nanoseconds
	insertBeat    atomic.Int64 // 0 while there is nothing to insert
}

// source is what a partition needs of Kafka.
//
// The implementer owes: fetch calls each in the order of offsets, with none below the one asked for; commit and bury return
// nil only when the broker has said yes. Both may have happened after an error all the same.
type source interface {
	fetch(ctx context.Context, partition int, offset int64, wait time.Duration, each func(*record) error) (position, error)
	firstOffset(ctx context.Context, partition int) (int64, error)
	commit(ctx context.Context, m member, partition int, offset int64) error
	bury(ctx context.Context, partition int, letters []deadLetter) error
}

// batch is a run of records on its way, from the offset after the last batch up to next.
type batch struct {
	rows   *block
	dead   []deadLetter
	next   int64 // the offset that is committed when all of it is done
	count  int
	bytes  int
	since  time.Time // when its first record was fetched
	oldest time.Time // received_at of its oldest event
}

func (b *batch) reset() {
	b.rows.reset()
	clear(b.dead)
	b.dead = b.dead[:0]
	b.count, b.bytes, b.oldest = 0, 0, time.Time{}
}

// run works until ctx ends, which it does when the generation is over. It returns after the insert under way is done with,
// or abandoned after the drain budget.
func (p *partition) run(ctx context.Context) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	p.free, p.sealed = make(chan *batch, 2), make(chan *batch)
	for range cap(p.free) {
		p.free <- &batch{rows: newBlock()}
	}
	defer p.store.close()
	defer p.metrics.forget(p.topic, p.id)
	// Work under way outlives ctx by the drain budget.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(drainBudget, cancel) })
	defer stop()

	var loops errgroup.Group
	loops.Go(func() error {
		defer close(p.sealed)
		p.fetchLoop(ctx)
		return nil
	})
	loops.Go(func() error {
		p.insertLoop(ctx, work)
		return nil
	})
	_ = loops.Wait() // the loops have no errors: they retry until they are stopped
}

// fetchLoop gathers records into batches.
func (p *partition) fetchLoop(ctx context.Context) {
	if !p.begin(ctx) {
		return
	}
	proc := &processor{topic: p.topic, partition: p.id, maxAge: time.Duration(p.cfg.MaxEventAge)}
	current := p.take(ctx)
	var pause backoff
	for current != nil && ctx.Err() == nil {
		p.beat(&p.fetchBeat)
		wait := fetchWait
		if current.count > 0 {
			wait = min(wait, time.Until(current.since.Add(p.flushAge)))
		}
		if wait <= 0 {
			current = p.seal(ctx, current)
			continue
		}
		at, err := p.kafka.fetch(ctx, p.id, p.offset, wait, func(r *record) error {
			if current = p.add(ctx, current, proc, r); current == nil {
				return context.Canceled
			}
			return nil
		})
		switch {
		case err == nil:
			pause = backoff{}
			p.highWatermark.Store(at.highWatermark)
			p.offset = max(p.offset, at.next)
			p.setLag()
		case ctx.Err() != nil:
		case errors.Is(err, errOffsetOutOfRange):
			current = p.skipGap(ctx, current)
		default:
			p.log.Warn("fetch failed, retrying", "partition", p.id, "offset", p.offset, "err", err)
			pause.wait(ctx)
		}
	}
	if current != nil { // never sealed: the next owner reads it again
		p.metrics.buffered.Sub(float64(current.bytes))
	}
}

// begin finds where to start in a partition for which the group has committed nothing: at its oldest record.
func (p *partition) begin(ctx context.Context) bool {
	var pause backoff
	for p.offset < 0 {
		p.beat(&p.fetchBeat)
		first, err := p.kafka.firstOffset(ctx, p.id)
		if err == nil {
			p.offset = first
			break
		}
		p.log.Warn("first offset is not to be had, retrying", "partition", p.id, "err", err)
		if !pause.wait(ctx) {
			return false
		}
	}
	p.done.Store(p.offset)
	return true
}

// add takes one record into the batch, and seals it if it is full. It returns the batch to go on with, nil when ctx ended.
func (p *partition) add(ctx context.Context, b *batch, proc *processor, r *record) *batch {
	if b.count == 0 {
		b.since = time.Now()
	}
	if gap := r.offset - p.offset; gap > 0 {
		// Transactions and compaction leave holes too, but nobody who writes this topic uses them.
		p.metrics.gaps.Add(float64(gap))
		p.log.Error("offsets are missing on the topic", "partition", p.id, "from", p.offset, "to", r.offset-1)
	}
	size := len(r.value)
	if err := proc.process(r, b.rows); err != nil {
		b.dead = append(b.dead, newDeadLetter(r, err))
		size = b.dead[len(b.dead)-1].size() // its key and headers are kept too, and nothing says that they are small
	} else if at := proc.receivedAt; b.oldest.IsZero() || at.Before(b.oldest) {
		b.oldest = at
	}
	b.count++
	b.bytes += size
	p.metrics.buffered.Add(float64(size))
	p.offset = r.offset + 1
	b.next = p.offset
	if b.count >= p.cfg.BatchRows || b.bytes >= p.cfg.BatchBytes {
		return p.seal(ctx, b)
	}
	return b
}

// skipGap goes on at the oldest offset there still is, after what lay before it was deleted. It is counted and said.
func (p *partition) skipGap(ctx context.Context, b *batch) *batch {
	first, err := p.kafka.firstOffset(ctx, p.id)
	if err != nil {
		p.log.Warn("fetch failed, retrying", "partition", p.id, "offset", p.offset, "err", err)
		sleep(ctx, backoffFirst)
		return b
	}
	if b.count > 0 {
		if b = p.seal(ctx, b); b == nil {
			return nil
		}
	}
	if lost := first - p.offset; lost > 0 {
		p.metrics.gaps.Add(float64(lost))
	}
	p.log.Error("the offset is not on the topic, going on at the oldest one", "partition", p.id, "offset", p.offset, "oldest", first)
	p.offset = first
	return b
}

// seal hands the batch to the insert loop and returns an empty one, or nil when ctx ended first.
func (p *partition) seal(ctx context.Context, b *batch) *batch {
	for {
		select {
		case p.sealed <- b:
			return p.take(ctx)
		case <-ctx.Done():
			p.metrics.buffered.Sub(float64(b.bytes))
			return nil
		case <-time.After(time.Second):
			p.beat(&p.fetchBeat) // waiting for ClickHouse is not standing still
		}
	}
}

func (p *partition) take(ctx context.Context) *batch {
	for {
		select {
		case b := <-p.free:
			return b
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
			p.beat(&p.fetchBeat)
		}
	}
}

// insertLoop brings sealed batches into ClickHouse, one after the other, until the fetch loop closes the channel.
func (p *partition) insertLoop(ctx, work context.Context) {
	lost := false
	for b := range p.sealed {
		if lost || ctx.Err() != nil {
			// Not ours any more, or not begun before the stop: the next owner reads it again.
			p.metrics.buffered.Sub(float64(b.bytes))
			continue
		}
		lost = !p.finish(work, b)
		p.insertBeat.Store(0)
		p.metrics.buffered.Sub(float64(b.bytes))
		b.reset()
		p.free <- b
	}
}

// finish carries one batch through to the commit. It returns false when the batch was abandoned.
func (p *partition) finish(ctx context.Context, b *batch) bool {
	return p.buryDead(ctx, b) && p.insert(ctx, b) && p.advance(ctx, b)
}

// buryDead writes the batch's dead letters. They are acknowledged before the offset passes them; while the dead-letter topic
// is away the partition waits.
func (p *partition) buryDead(ctx context.Context, b *batch) bool {
	if len(b.dead) == 0 {
		return true
	}
	err := p.until(ctx, blockedDead, func() error { return p.kafka.bury(ctx, p.id, b.dead) })
	if err != nil {
		return false
	}
	for i := range b.dead {
		p.metrics.dead.WithLabelValues(string(b.dead[i].reason)).Inc()
	}
	p.log.Warn("records became dead letters", "partition", p.id, "count", len(b.dead), "first_reason", b.dead[0].reason, "first_offset", b.dead[0].offset)
	return true
}

func (p *partition) insert(ctx context.Context, b *batch) bool {
	rows := b.rows.rows()
	if rows == 0 {
		return true
	}
	start := time.Now()
	err := p.until(ctx, blockedClickHouse, func() error {
		start = time.Now()
		err := p.store.insert(ctx, b.rows)
		if err != nil {
			p.metrics.insertErrors.WithLabelValues(codeLabel(err)).Inc()
		}
		return err
	})
	if err != nil {
		return false
	}
	took := time.Since(start)
	p.metrics.rows.Add(float64(rows))
	p.metrics.batchRows.Observe(float64(rows))
	p.metrics.insertDuration.Observe(took.Seconds())
	age := time.Since(b.oldest).Seconds()
	p.metrics.endToEnd.Observe(age)
	p.metrics.lagSeconds.Set(age)
	p.log.Debug("batch inserted", "partition", p.id, "next", b.next, "rows", rows, "bytes", b.bytes, "took", took)
	return true
}

// advance commits the offset after the batch: only now, when all of it is in.
func (p *partition) advance(ctx context.Context, b *batch) bool {
	var pause backoff
	for {
		p.beat(&p.insertBeat)
		err := p.kafka.commit(ctx, p.member, p.id, b.next)
		switch {
		case err == nil:
			p.done.Store(b.next)
			p.setLag()
			return true
		case errors.Is(err, errNotOwner):
			p.log.Info("partition was taken over before the commit", "partition", p.id, "offset", b.next, "err", err)
			return false
		}
		p.log.Warn("commit failed, retrying", "partition", p.id, "offset", b.next, "err", err)
		if !pause.wait(ctx) {
			return false
		}
	}
}

// until tries something outside until it succeeds or ctx ends, and says that the partition is blocked meanwhile.
func (p *partition) until(ctx context.Context, reason string, try func() error) error {
	var pause backoff
	blocked := ""
	defer func() {
		if blocked != "" {
			p.metrics.blocked.WithLabelValues(blocked).Dec()
		}
	}()
	for {
		p.beat(&p.insertBeat)
		err := try()
		if err == nil {
			if blocked != "" {
				p.log.Info("partition goes on", "partition", p.id, "was_blocked_by", blocked)
			}
			return nil
		}
		if ctx.Err() != nil {
			return err
		}
		why, level := reason, slog.LevelWarn
		if isSetup(err) {
			why, level = blockedSetup, slog.LevelError
		}
		if why != blocked {
			if blocked != "" {
				p.metrics.blocked.WithLabelValues(blocked).Dec()
			}
			blocked = why
			p.metrics.blocked.WithLabelValues(blocked).Inc()
			p.log.Log(ctx, level, "partition is blocked, retrying", "partition", p.id, "by", why, "err", err, "hint", hint(err))
		} else {
			p.log.Debug("partition is still blocked", "partition", p.id, "by", why, "err", err)
		}
		if !pause.wait(ctx) {
			return err
		}
	}
}

// setLag reports how far the committed offset is behind the end of the partition.
func (p *partition) setLag() {
	p.metrics.setLag(p.topic, p.id, p.highWatermark.Load()-p.done.Load())
}

func (p *partition) beat(b *atomic.Int64) { b.Store(time.Now().UnixNano()) }
