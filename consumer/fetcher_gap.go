package consumer

import (
	"context"
	"time"

	"sluice/consumer/alive"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/consumer/observed"
	"sluice/internal/backoff"
	"sluice/internal/recordbatch"
)

// disputePause is how long the fetcher waits before it asks again for the bounds. By then kafka-go has asked for the
// leaders again, which it does every second.
const disputePause = 1100 * time.Millisecond

// resolveOutOfRange is called after a broker said that the offset is not on the topic. That alone is no reason to go
// elsewhere: a broker that was away says so for a while, whatever the offset.
func (f *fetcher) resolveOutOfRange(ctx context.Context) {
	first, end, err := f.kafka.Bounds(ctx, f.id)
	if err != nil {
		f.fetchFailed(ctx, &f.dispute.Pause, err)
		return
	}
	v := observed.Stale
	switch {
	case f.offset < first:
		v = observed.Removed
	case f.offset > end:
		v = observed.Cut
	}
	switch certain := f.dispute.Found(v, time.Now()); {
	case certain && v == observed.Removed:
		f.dispute = observed.Dispute{}
		f.skipRemoved(ctx, first)
		return
	case certain:
		f.dispute = observed.Dispute{}
		f.resolveCut(ctx, first, end)
		return
	}
	f.watch.Outside()
	if f.dispute.Times == 1 {
		f.log.Warn("a broker says that the offset is not on the topic, asking again", "offset", f.offset,
			"oldest", first, "end", end)
	}
	if v == observed.Stale {
		f.dispute.Pause.Wait(ctx)
	} else {
		backoff.Sleep(ctx, disputePause)
	}
}

// skipRemoved goes on at the oldest record, because retention or an operator removed the records before it.
func (f *fetcher) skipRemoved(ctx context.Context, oldest int64) {
	if f.sealable() && !f.seal(ctx) {
		return
	}
	f.logStart = max(f.logStart, oldest)
	from := f.offset
	lost := f.lostBetween(from, oldest)
	if !f.sealReplayed(ctx, oldest) {
		return
	}
	f.logRemoved(from, oldest-1, lost)
	f.current.Lost += lost
	f.offset, f.term = oldest, 0
	f.reportEmpty(ctx)
}

func (f *fetcher) logRemoved(from, to, lost int64) {
	if lost == 0 {
		f.log.Warn("offsets were removed from the topic; none of their records is lost", "from", from, "to", to)
		return
	}
	f.log.Error("records were removed from the topic before they were read", "from", from, "to", to, "lost", lost)
}

// lostBetween counts the offsets from one up to another, which is not included, that nobody has dealt with: they are
// not recorded, and the table does not show that an earlier owner was behind them already, as after a reset of the
// group's offset.
func (f *fetcher) lostBetween(from, to int64) int64 {
	if f.replaying() {
		from = max(from, f.replay.end())
	}
	return max(0, to-max(from, f.handled+1))
}

// countHole looks at offsets without a record before a record. They are lost only if the log begins behind them. Within
// the log they are markers of transactions, or aborted records, or compaction removed them. If whole batches are
// missing, retention may be removing them at this moment, so the leader is asked where the topic begins.
func (f *fetcher) countHole(ctx context.Context, r *recordbatch.Record) {
	if !f.asked && f.logStart < r.BaseOffset && max(f.offset, r.PreviousEnd) < r.BaseOffset {
		f.asked = true
		if first, _, err := f.kafka.Bounds(ctx, f.id); err == nil {
			f.logStart = max(f.logStart, first)
		}
	}
	if f.replaying() {
		return // see countUnread
	}
	if lost := f.lostBetween(f.offset, min(r.Offset, f.logStart)); lost > 0 {
		f.logRemoved(f.offset, r.Offset-1, lost)
		f.current.Lost += lost
	}
}

// countUnread counts the lost records of a recorded range: it had more records than there are on the topic now, and the
// table does not have their rows. It returns false if ctx ended.
func (f *fetcher) countUnread(ctx context.Context, recorded delivery.Range, records int) (lost int64, ok bool) {
	missing := int64(recorded.Records - records)
	from, to := recorded.First, min(recorded.Last, f.logStart-1)
	if f.cut {
		to = recorded.Last
	}
	if missing <= 0 || from > to {
		return 0, true
	}
	var held int64
	err := f.untilClickHouseAnswers(ctx, alive.Fetch, func() (err error) {
		held, err = f.table.Held(ctx, f.topic, f.id, from, to)
		return err
	})
	return max(0, min(missing, to-from+1)-held), err == nil
}

// reportEmpty tells the recorder that there is no record before the next offset. If the batch has records it does not:
// the next range covers the empty offsets before it. reportEmpty returns false if ctx ended.
func (f *fetcher) reportEmpty(ctx context.Context) bool {
	if f.offset <= f.first || f.current.Records > 0 || f.replaying() {
		return true
	}
	r := report{kind: reportEmpty, offset: f.offset, lost: f.current.Lost, term: f.term}
	f.first, f.current.Lost = f.offset, 0
	return f.tell(ctx, r)
}

// transactionWatch logs once that an open transaction holds up the records behind it for long.
type transactionWatch struct {
	since  time.Time
	logged bool
}

// longTransaction is how long a transaction may be open without a warning: the default of transaction.timeout.ms.
const longTransaction = time.Minute

func (w *transactionWatch) look(f *fetcher, answer *kafka.Answer) {
	switch {
	case answer.LastStable >= answer.HighWatermark || f.offset < answer.LastStable:
		*w = transactionWatch{}
	case w.since.IsZero():
		w.since = time.Now()
	case !w.logged && time.Since(w.since) >= longTransaction:
		w.logged = true
		f.log.Warn("an open transaction holds up the records behind it", "offset", f.offset, "end",
			answer.HighWatermark,
			"open_for", time.Since(w.since).Round(time.Second))
	}
}
