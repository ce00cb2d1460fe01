package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/kafka"
	"sluice/internal/backoff"
)

// ask is what an insert needs of the one who keeps the ranges: a commit, and before it, if split or sized, the mark on its range.
type ask struct {
	first  int64
	split  bool
	sized  bool
	answer chan bool // whether the partition is still ours
}

// keep records sealed batches, gives them to the inserters, and moves the head. It ends when the partition has stopped and no
// insert is under way.
func (p *partition) keep(life, work context.Context) {
	defer close(p.work)
	replays := len(p.ranges.Spans)
	flying, open := 0, true
	var jump *batch
	stopped := life.Done()
	timer := time.NewTimer(advanceAge)
	defer timer.Stop()
	for open || flying > 0 {
		p.watch.beat(loopKeep)
		var sealed <-chan *batch
		if open && jump == nil && (replays > 0 || !p.ranges.Full()) {
			sealed = p.sealed
		}
		timer.Reset(advanceAge)
		if !p.unsaved.IsZero() {
			timer.Reset(max(0, time.Until(p.unsaved)))
		}
		select {
		case b, ok := <-sealed:
			switch {
			case !ok:
				open = false
			case b.skip && b.topic != uuid.UUID{}:
				p.ranges.Origin.Topic = b.topic
			case b.skip:
				if p.ranges.Skip(b.Last+1, b.Lost, b.Term) {
					p.moved()
				}
			case b.jump:
				jump = b
			case b.replayed:
				replays--
				flying++
				b.doubt = true
				p.ranges.Reread(b.Range)
				p.work <- b
			default:
				if !p.record(work, b) {
					open = false
					break
				}
				flying++
				p.work <- b
			}
		case b := <-p.done:
			flying--
			p.finish(b)
		case q := <-p.asks:
			if q.split || q.sized {
				p.ranges.Splits(q.first, q.sized)
			}
			q.answer <- p.save(work)
		case <-timer.C:
			if !p.unsaved.IsZero() && time.Until(p.unsaved) <= 0 {
				p.save(work)
			}
		case <-stopped:
			open, stopped = false, nil
		}
		if jump != nil && len(p.ranges.Spans) == 0 && open {
			open = p.jump(life, jump)
			jump = nil
		}
	}
	if jump != nil {
		p.discard(jump)
	}
	p.leave(work)
}

// leave commits what is not yet, with the old generation, so that the next owner does not have to look.
func (p *partition) leave(work context.Context) {
	if p.unsaved.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(work), time.Second)
	defer cancel()
	if err := p.ledger.Commit(ctx, p.member, p.id, p.ranges.Head, p.ranges.Metadata()); err != nil {
		p.log.Info("the last commit was not taken; the next owner will look at the table", "partition", p.id, "offset", p.ranges.Head, "err", err)
		return
	}
	p.head.Store(p.ranges.Head)
	p.countPassed()
}

// record commits a new range. Only after that may anybody insert it.
func (p *partition) record(ctx context.Context, b *batch) bool {
	b.Range = p.ranges.Cover(b.Range)
	if err := p.ranges.Record(b.Range); err != nil {
		p.log.Error("a range is not the one that comes next; the partition stops", "partition", p.id, "err", err)
		p.discard(b)
		p.lose()
		return false
	}
	b.doubt = p.ranges.Doubtful(b.Range, time.Now())
	if !p.save(ctx) {
		p.discard(b)
		return false
	}
	crash("after_record")
	return true
}

// save commits head and ranges until it is known that they are stored. It returns false when the partition is not ours any more, or
// ctx ended.
func (p *partition) save(ctx context.Context) bool {
	if p.ranges.Head != p.head.Load() {
		crash("before_commit")
	}
	var pause backoff.Backoff
	for {
		p.watch.beat(loopKeep)
		err := p.ledger.Commit(ctx, p.member, p.id, p.ranges.Head, p.ranges.Metadata())
		switch {
		case err == nil:
			p.unsaved = time.Time{}
			p.saved.Store(time.Now().UnixNano())
			p.head.Store(p.ranges.Head)
			p.countPassed()
			return true
		case errors.Is(err, kafka.ErrNotOwner):
			p.log.Info("partition was taken over", "partition", p.id, "offset", p.ranges.Head, "err", err)
			p.unsaved = time.Time{}
			p.lose()
			return false
		}
		p.watch.outside()
		p.log.Warn("commit failed, retrying", "partition", p.id, "offset", p.ranges.Head, "err", err)
		if !pause.Wait(ctx) {
			return false
		}
	}
}

// finish takes a batch back from an inserter.
func (p *partition) finish(b *batch) {
	if b.finished {
		if len(b.drop) > 0 || b.corrected > 0 {
			p.tallies = append(p.tallies, tally{first: b.First, last: b.Last, drop: b.drop, corrected: b.corrected})
		}
		if p.ranges.Inserted(b.First) {
			p.moved()
			p.countTallies()
		}
	}
	p.discard(b)
	p.free <- b
}

// tally is what a range that is in has to count once the head is past it. Two ranges are inserted at a time, so the later one may be in
// first; and until the head is past a range, another owner may take it up and count the same.
type tally struct {
	first, last int64
	drop        map[string]int // events that a step dropped, by its name
	corrected   int            // rows whose received_at is not what the gateway said
}

// countTallies counts for the ranges that the head has passed.
func (p *partition) countTallies() {
	p.tallies = slices.DeleteFunc(p.tallies, func(t tally) bool {
		if t.first >= p.ranges.Head {
			return false
		}
		for step, n := range t.drop {
			p.metrics.dropped.WithLabelValues(step).Add(float64(n))
		}
		if t.corrected > 0 {
			p.metrics.corrected.Add(float64(t.corrected))
			p.log.Warn("the time of receipt was corrected: the clock of a gateway or a broker is wrong, or events spent over a day in a spool",
				"partition", p.id, "events", t.corrected, "first", t.first, "last", t.last)
		}
		return true
	})
}

// moved notes that the head has moved: that is progress, and has to be committed.
func (p *partition) moved() {
	p.lag.enters(p.ranges.Head)
	p.watch.progress()
	if p.unsaved.IsZero() {
		p.unsaved = time.Now().Add(advanceAge)
	}
}

// countPassed counts what the commit that was just accepted has passed.
func (p *partition) countPassed() {
	lost, cuts := p.ranges.Told()
	p.metrics.gaps.Add(float64(lost))
	p.metrics.truncations.Add(float64(cuts))
}

// jump goes on at another offset. What the table has from there on is looked up again.
func (p *partition) jump(ctx context.Context, b *batch) bool {
	seen, err := p.seen(ctx, loopKeep, b.First)
	if err != nil {
		p.discard(b)
		return false
	}
	if err := p.ranges.Jump(b.First); err != nil {
		p.log.Error("cannot go on at another offset; the partition stops", "partition", p.id, "err", err)
		p.lose()
		p.discard(b)
		return false
	}
	p.ranges.Seen, p.ranges.Origin.Topic = seen, b.topic
	p.ranges.Lost += b.Lost
	p.unsaved = time.Now()
	p.discard(b)
	p.free <- b
	return true
}
