package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"sluice/consumer/alive"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/consumer/observed"
	"sluice/consumer/rowbuilder"
	"sluice/consumer/shared"
	"sluice/consumer/step"
	"sluice/internal/backoff"
	"sluice/internal/recordbatch"
)

// fetcher reads a partition, gathers its records into batches and seals them. It first replays the ranges that an
// earlier owner has recorded. One goroutine runs it.
type fetcher struct {
	*partition
	cursor
	replay

	rows    rowbuilder.Builder
	current *batch
	first   int64 // first offset of the next range
	backlog backlog
	starved time.Time // since when there is no memory; zero: there is
	pause   backoff.Backoff

	transaction transactionWatch
}

// cursor is where the fetcher is in the partition's log, and which log that is.
type cursor struct {
	offset   int64 // of the next record to fetch
	term     int32 // of the leader that appended what ends there; 0 if unknown
	nextTerm int32 // of what comes there, after errOtherTerm
	logStart int64 // the oldest offset on the topic, as far as it is known
	asked    bool  // the leader was asked for the oldest offset because of what this answer holds

	topicID    uuid.UUID // of what was read; zero if unknown
	sameTopic  bool      // the recorded ranges are of the topic that is there now
	unverified bool      // the topic may have been created anew since its id was last compared

	dispute observed.Dispute
}

// replay is what an earlier owner left.
type replay struct {
	ranges  []delivery.Range // recorded, and not yet read again
	handled int64            // the highest offset that an earlier owner is known to have dealt with, -1 for none
	cut     bool             // the topic ends before ranges
}

func (r *replay) replaying() bool { return len(r.ranges) > 0 }

// end is the offset behind the recorded ranges.
func (r *replay) end() int64 { return r.ranges[len(r.ranges)-1].Last + 1 }

func newFetcher(p *partition, head int64, recorded []delivery.Range, origin delivery.Origin, seen int64) *fetcher {
	return &fetcher{
		partition: p,
		cursor:    cursor{offset: head, term: origin.Term, topicID: origin.Topic, unverified: true},
		// The recorder changes its own.
		replay: replay{ranges: append([]delivery.Range(nil), recorded...), handled: seen},
		rows: rowbuilder.Builder{
			Topic: p.topic, Partition: p.id, MaxAge: time.Duration(p.cfg.MaxEventAge),
			Chain: step.Chain{Steps: step.New(p.cfg.steps())},
		},
		current: <-p.free,
		first:   head,
	}
}

// run fetches and seals until ctx ends. A batch that was never sealed is dropped: the next owner reads its records
// again.
func (f *fetcher) run(ctx context.Context) {
	defer close(f.reports)
	defer func() {
		if f.current != nil {
			f.discard(f.current)
		}
	}()
	defer f.turn.End()
	for ctx.Err() == nil {
		f.watch.Beat(alive.Fetch)
		switch next := f.nextMove(); next.kind {
		case moveSeal:
			f.share(ctx)
			f.seal(ctx)
		case moveFetch, moveFetchInTurn:
			// The topic is verified without a turn, so that all partitions ask at once.
			if f.verified(ctx) && (next.kind == moveFetch || f.awaitTurn(ctx, next.wait)) {
				f.fetch(ctx, next.wait)
			}
		case moveAwaitMemory:
			f.awaitMemory(ctx, next)
		case movePause:
			f.turn.End()
			backoff.Sleep(ctx, next.wait)
		}
	}
}

// fetch asks Kafka for records, takes them in, and deals with what can go wrong.
func (f *fetcher) fetch(ctx context.Context, wait time.Duration) {
	f.asked = false
	err := f.read(ctx, wait)
	switch {
	case ctx.Err() != nil:
	case err == nil:
		f.pause = backoff.Backoff{}
	case errors.Is(err, kafka.ErrOffsetOutOfRange):
		f.forgetBacklog()
		f.resolveOutOfRange(ctx)
	case errors.Is(err, errOtherTerm):
		f.checkTerm(ctx)
	default:
		f.forgetBacklog()
		f.unverified = true
		f.fetchFailed(ctx, &f.pause, err)
	}
}

// fetchFailed waits before the next try. Package observed logs the outage.
func (f *fetcher) fetchFailed(ctx context.Context, pause *backoff.Backoff, err error) {
	f.watch.Outside()
	f.log.Debug("fetch failed, retrying", "offset", f.offset, "err", err)
	pause.Wait(ctx)
}

// read fetches once and takes in the records of the answer, until there is no more memory. What is left of the answer
// is fetched again. The error is Kafka's, ctx's, or errOtherTerm.
func (f *fetcher) read(ctx context.Context, wait time.Duration) error {
	answer, err := f.kafka.Fetch(ctx, f.id, f.offset, wait)
	if err != nil {
		return err
	}
	f.logStart = max(f.logStart, answer.LogStart)
	for r, err := range answer.Records {
		if err != nil {
			return err
		}
		if f.term > 0 && r.Term != f.term {
			f.nextTerm = r.Term
			return errOtherTerm
		}
		if !f.add(ctx, r) {
			return ctx.Err()
		}
		if f.full() {
			break
		}
	}
	return f.finishAnswer(ctx, answer)
}

// full says whether the budget is used up. It looks at the budget only every accountEvery bytes.
func (f *fetcher) full() bool {
	b := f.current
	if b.bytes-b.gauged <= accountEvery {
		return false
	}
	f.account(b)
	room, _ := f.claim.Room()
	return !room
}

// accountEvery is how many bytes are taken in before the budget is looked at again. A compressed answer can be many
// times a fetch.
const accountEvery = 256 << 10

// add takes one record into the batch, and seals the batch if it is full. It returns false if ctx ended.
func (f *fetcher) add(ctx context.Context, r *recordbatch.Record) bool {
	f.term = r.Term
	if !f.sealReplayed(ctx, r.Offset) {
		return false
	}
	if r.Offset > f.offset {
		f.countHole(ctx, r)
	}
	b := f.current
	if b.Records == 0 {
		b.since = time.Now()
	}
	if b.rows == nil { // a partition that waits for a turn has no block: it would keep a large one from the others
		b.rows = f.claim.Block()
	}
	b.add(r, &f.rows)
	f.offset = r.Offset + 1
	switch {
	case f.replaying():
		return f.sealReplayed(ctx, f.offset)
	case b.Records >= f.cfg.BatchRows, b.bytes >= f.size.Limit(f.cfg.BatchBytes),
		f.size.Limited() && f.size.Reached(b.rows.Bytes()):
		return f.seal(ctx)
	}
	return true
}

// finishAnswer takes what an answer says besides its records. The error is errOtherTerm, or ctx's.
func (f *fetcher) finishAnswer(ctx context.Context, answer *kafka.Answer) error {
	f.progress.highWatermark.Store(answer.HighWatermark)
	f.progress.lastStable.Store(answer.LastStable)
	if answer.Next > f.offset { // the offsets before Next have no records
		if f.term != answer.Term && f.term > 0 && answer.Term > 0 {
			f.nextTerm = answer.Term
			return errOtherTerm
		}
		f.offset, f.term = answer.Next, answer.Term
	}
	if !f.sealReplayed(ctx, f.offset) || !f.reportEmpty(ctx) || !f.checkReplayEnds(ctx, answer) {
		return ctx.Err()
	}
	f.account(f.current)
	f.noteBacklog(f.offset < answer.LastStable)
	f.transaction.look(f, answer)
	return nil
}

// share lets the batch, which is about to be sealed, share a block with those of other partitions that are due too.
func (f *fetcher) share(ctx context.Context) {
	b := f.current
	bytes := b.bytes
	if f.size.Limited() {
		bytes = max(bytes, b.rows.Bytes())
	}
	one := shared.Batch{Rows: b.Records, Bytes: bytes}
	if f.backlog.overdue {
		f.markSealed(b) // it gives memory back before long
		if f.turn.Others() {
			one.Until = f.phaseAfter(time.Now())
			if most := time.Now().Add(blockPatience); one.Until.After(most) {
				one.Until = most
			}
		}
	}
	b.Shared = f.seat.Join(ctx, one, func() { f.watch.Beat(alive.Fetch) })
}

// markSealed counts a batch among those that are on their way, once.
func (f *fetcher) markSealed(b *batch) {
	if b.sealed {
		return
	}
	f.turn.End()
	f.account(b)
	b.sealed = true
	b.traced.Sealed()
	f.claim.Seal(1)
}

// seal closes the batch as a new range. It returns false if ctx ended.
func (f *fetcher) seal(ctx context.Context) bool {
	b := f.current
	b.First, b.Hash = f.first, b.hash.Sum64()
	b.SealedAt = time.UnixMilli(time.Now().UnixMilli())
	f.first = b.Last + 1
	return f.send(ctx, report{kind: reportSealed, batch: b})
}

// sealReplayed closes the recorded ranges that lie wholly before an offset. It returns false if ctx ended.
func (f *fetcher) sealReplayed(ctx context.Context, next int64) bool {
	for f.replaying() && f.ranges[0].Last < next {
		recorded := f.ranges[0]
		f.ranges = f.ranges[1:]
		b := f.current
		hash := b.hash.Sum64()
		if hash != recorded.Hash || b.Records != recorded.Records {
			lost, ok := f.countUnread(ctx, recorded, b.Records)
			if !ok {
				return false
			}
			recorded.Unread = lost
			f.log.Error("a recorded range is not what it was on the topic", "first", recorded.First, "last",
				recorded.Last,
				"records", b.Records, "recorded", recorded.Records, "lost", lost)
		}
		if f.sameTopic && b.Records < recorded.Records && f.logStart > recorded.First && !f.cut {
			hash = recorded.Hash // its last records are what they were: under its token, none of them can get in twice
		}
		recorded.Term, recorded.Records, recorded.Hash = b.Term, b.Records, hash
		b.Range = recorded
		f.first = recorded.Last + 1
		if !f.send(ctx, report{kind: reportReplayed, batch: b}) {
			return false
		}
	}
	return true
}

// send hands the current batch to the recorder and takes an empty one. It returns false if ctx ended.
func (f *fetcher) send(ctx context.Context, r report) bool {
	f.backlog.overdue = false
	b := f.current
	if b.rows == nil { // all of its records are gone
		b.rows = f.claim.Block()
	}
	f.markSealed(b)
	if !f.tell(ctx, r) {
		return false
	}
	f.current = nil
	return f.takeFree(ctx)
}

// tell hands a report to the recorder. It returns false if ctx ended.
func (f *fetcher) tell(ctx context.Context, r report) bool {
	for {
		select {
		case f.reports <- r:
			return true
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
			f.watch.Beat(alive.Fetch) // waiting for ClickHouse is not standing still
		}
	}
}

func (f *fetcher) takeFree(ctx context.Context) bool {
	for {
		select {
		case f.current = <-f.free:
			return true
		case <-ctx.Done():
			return false
		case <-time.After(time.Second):
			f.watch.Beat(alive.Fetch)
		}
	}
}

// account tells budget and gauge what a batch has taken in since the last call.
func (f *fetcher) account(b *batch) {
	memory := b.memory()
	f.claim.Add(memory - b.claimed)
	b.claimed = memory
	f.metrics.buffered.Add(float64(b.bytes - b.gauged))
	b.gauged = b.bytes
}
