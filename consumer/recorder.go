package consumer

import (
	"context"
	"errors"
	"slices"
	"time"

	"sluice/consumer/alive"
	"sluice/consumer/delivery"
	"sluice/consumer/hands"
	"sluice/consumer/kafka"
	"sluice/internal/backoff"
	"sluice/internal/crashpoint"
)

// recorder keeps the ranges of a partition and commits them: a new range before it is inserted, and the head after the
// ranges before it are in. One goroutine runs it.
type recorder struct {
	*partition
	lose    func() // the partition is another member's
	inserts *hands.Hands[*batch]

	ranges    *delivery.Ranges
	saveBy    time.Time // when what happened must be committed; zero: nothing happened
	uncounted []tally   // of ranges that are in and that the head has not passed
	hold      delivery.Hold
	savedAt   time.Time // when the last commit was sent that was answered

	open      bool // the fetcher may report
	inserting int  // batches that insertions have
	replays   int  // recorded ranges that the fetcher has not read again yet
	jump      *report
}

func newRecorder(p *partition, ranges *delivery.Ranges, lost int64) *recorder {
	r := &recorder{partition: p, ranges: ranges, open: true, replays: ranges.Len()}
	if lost > 0 {
		head := ranges.Head()
		ranges.AddGap(delivery.Gap{First: head - lost, Last: head - 1, Lost: lost})
		r.saveBy = time.Now()
	}
	return r
}

// run works until life ends and no insert is under way. Commits go on until work ends.
func (r *recorder) run(life, work context.Context) {
	stopped := life.Done()
	timer := time.NewTimer(advanceAge)
	defer timer.Stop()
	for r.open || r.inserting > 0 {
		r.watch.Beat(alive.Record)
		timer.Reset(r.untilSave())
		select {
		case next, ok := <-r.acceptable():
			if r.open = ok; ok {
				r.accept(work, next)
			}
		case b := <-r.done:
			r.takeBack(b)
		case call := <-r.requests:
			r.ranges.MarkSplit(call.first, call.mark)
			call.owned <- r.save(work)
		case <-timer.C:
			if r.saveIsDue() {
				r.save(work)
			}
		case <-stopped:
			r.open, stopped = false, nil
		}
		r.jumpIfEmpty(life)
	}
	r.saveLast(work)
}

// acceptable is where the next report comes from, or nil while the recorder can take none: a new range needs room among
// the recorded ones, and nothing may follow a jump before it is made.
func (r *recorder) acceptable() <-chan report {
	if r.open && r.jump == nil && (r.replays > 0 || !r.ranges.Full()) {
		return r.reports
	}
	return nil
}

func (r *recorder) untilSave() time.Duration {
	if r.saveBy.IsZero() {
		return advanceAge
	}
	return max(0, time.Until(r.saveBy))
}

func (r *recorder) saveIsDue() bool { return !r.saveBy.IsZero() && time.Until(r.saveBy) <= 0 }

// accept takes a report.
func (r *recorder) accept(work context.Context, next report) {
	switch next.kind {
	case reportSealed:
		if !r.record(work, next.batch) {
			r.open = false
			return
		}
		r.insert(next.batch)
	case reportReplayed:
		r.replays--
		next.batch.uncertain = true
		r.ranges.Reread(next.batch.Range)
		r.insert(next.batch)
	case reportEmpty:
		if r.ranges.SkipTo(next.offset, next.lost, next.term) {
			r.headMoved()
		}
	case reportTopic:
		r.ranges.SetTopic(next.topic)
	case reportJump:
		r.jump = &next
	}
}

func (r *recorder) insert(b *batch) {
	r.inserting++
	r.inserts.Put(b)
}

// record commits a new range. It returns false if the range may not be inserted: the partition is lost, or ctx ended.
func (r *recorder) record(ctx context.Context, b *batch) bool {
	b.Range = r.ranges.Cover(b.Range)
	if err := r.ranges.Record(b.Range); err != nil {
		r.log.Error("a range is not the one that comes next; the partition stops", "err", err)
		r.discard(b)
		r.lose()
		return false
	}
	b.uncertain = r.ranges.Uncertain(b.Range, time.Now())
	if !r.save(ctx) || !r.outlast(ctx) {
		r.discard(b)
		return false
	}
	crashpoint.Reach("after_record")
	return true
}

// outlast commits again once no commit that is still on its way can overwrite what was recorded. It returns false if
// the partition is lost, or ctx ended.
func (r *recorder) outlast(ctx context.Context) bool {
	for !r.hold.Counts(r.savedAt) {
		r.log.Debug("a commit was not answered: the next block waits until it cannot be stored late any more")
		if !backoff.Sleep(ctx, r.hold.Left(time.Now())) || !r.save(ctx) {
			return false
		}
	}
	return true
}

// save commits head and ranges, and tries until it is known that they are stored. It returns false if the partition is
// lost, or ctx ended.
func (r *recorder) save(ctx context.Context) bool {
	if r.ranges.Head() != r.progress.committed.Load() {
		crashpoint.Reach("before_commit")
	}
	var pause backoff.Backoff
	for {
		r.watch.Beat(alive.Record)
		sent := time.Now()
		err := r.commit(ctx)
		switch {
		case err == nil:
			r.saveBy, r.savedAt = time.Time{}, sent
			r.progress.owned.Store(time.Now().UnixNano())
			return true
		case errors.Is(err, kafka.ErrNotOwner):
			r.log.Info("another consumer has taken the partition over", "offset", r.ranges.Head(), "err", err)
			r.saveBy = time.Time{}
			r.lose()
			return false
		}
		if !kafka.Refused(err) {
			r.hold.Unanswered(time.Now())
		}
		r.watch.Outside()
		r.log.Debug("commit failed, retrying", "offset", r.ranges.Head(), "err", err)
		if !pause.Wait(ctx) {
			return false
		}
	}
}

// saveLast commits what is not committed yet, in the old generation, so that the next owner need not ask the table.
func (r *recorder) saveLast(work context.Context) {
	if r.saveBy.IsZero() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(work), time.Second)
	defer cancel()
	if err := r.commit(ctx); err != nil {
		r.log.Info("the last commit failed; the next owner will ask the table", "offset", r.ranges.Head(), "err", err)
	}
}

// commit commits once, and counts what an accepted commit has passed.
func (r *recorder) commit(ctx context.Context) error {
	err := r.offsets.Commit(ctx, r.member, r.id, r.ranges.Head(), r.ranges.Metadata())
	if err != nil {
		return err
	}
	r.progress.committed.Store(r.ranges.Head())
	lost, cuts := r.ranges.Uncounted()
	r.metrics.gaps.Add(float64(lost))
	r.metrics.truncations.Add(float64(cuts))
	return nil
}

// takeBack takes a batch from an insertion.
func (r *recorder) takeBack(b *batch) {
	r.inserting--
	if b.inserted {
		if len(b.drop) > 0 || b.corrected > 0 {
			r.uncounted = append(r.uncounted, tally{first: b.First, last: b.Last, drop: b.drop, corrected: b.corrected})
		}
		if r.ranges.Inserted(b.First) {
			r.headMoved()
			r.countTallies()
		}
	}
	r.discard(b)
	r.free <- b
}

// tally is what a range counts in the metrics once the head is past it. The later of two ranges may be in first, and
// until the head is past a range, another owner may take it up and count the same.
type tally struct {
	first, last int64
	drop        map[string]int // events that a step dropped, by its name
	corrected   int            // rows whose received_at is not the gateway's
}

// countTallies counts the ranges that the head has passed.
func (r *recorder) countTallies() {
	r.uncounted = slices.DeleteFunc(r.uncounted, func(t tally) bool {
		if t.first >= r.ranges.Head() {
			return false
		}
		for step, n := range t.drop {
			r.metrics.dropped.WithLabelValues(step).Add(float64(n))
		}
		if t.corrected > 0 {
			r.metrics.corrected.Add(float64(t.corrected))
			r.log.Warn("the time of receipt was corrected: a clock is wrong, or events were spooled for over a day",
				"events", t.corrected, "first", t.first, "last", t.last)
		}
		return true
	})
}

func (p *partition) advanceAge() time.Duration {
	if p.seat != nil {
		return sharedAdvanceAge
	}
	return advanceAge
}

// headMoved notes that the head has moved: that is progress, and must be committed.
func (r *recorder) headMoved() {
	r.lag.Enters(r.ranges.Head())
	r.watch.Progress()
	if r.saveBy.IsZero() {
		r.saveBy = time.Now().Add(r.advanceAge())
	}
}

// jumpIfEmpty makes a pending jump once all ranges are in. It first looks up what the table has from the new offset on.
func (r *recorder) jumpIfEmpty(life context.Context) {
	if r.jump == nil || r.ranges.Len() > 0 || !r.open {
		return
	}
	to := *r.jump
	r.jump = nil
	seen, err := r.highest(life, alive.Record, to.offset)
	if err != nil {
		r.open = false
		return
	}
	if err := r.ranges.Jump(to.offset, to.topic, seen); err != nil {
		r.log.Error("cannot go on at another offset; the partition stops", "err", err)
		r.open = false
		r.lose()
		return
	}
	r.ranges.AddLost(to.lost)
	r.saveBy = time.Now()
}
