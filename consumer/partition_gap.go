package consumer

import (
	"context"
	"time"

	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/internal/backoff"
	"sluice/internal/recordbatch"
)

const (
	// disputePause is how long a partition waits before it asks again whether an offset is on the topic. By then kafka-go has asked for the
	// leaders again, which it does every second.
	disputePause = 1100 * time.Millisecond
	// cutAfter is how long, and cutAnswers how often, the topic must be said to end before the offset, until that is believed. A broker that
	// comes back from a pause takes itself for the leader for up to a second.
	cutAfter   = 5 * time.Second
	cutAnswers = 4
	// removedAnswers is how often the topic must be said to begin behind the offset.
	removedAnswers = 2
)

// verdict is what the bounds of a topic say about an offset that a fetch was told is not on it.
type verdict int

const (
	verdictNone    verdict = iota
	verdictStale           // it is on the topic: a broker answered that does not know it yet
	verdictRemoved         // the topic begins behind it
	verdictCut             // the topic ends before it
)

// dispute is what was found in a row, since the last fetch that succeeded.
type dispute struct {
	verdict verdict
	since   time.Time
	times   int
	pause   backoff.Backoff
}

// found notes a verdict and says whether it is sure enough to act on.
func (d *dispute) found(f verdict, now time.Time) bool {
	if d.verdict != f {
		*d = dispute{verdict: f, since: now, pause: d.pause}
	}
	d.times++
	switch f {
	case verdictRemoved:
		return d.times >= removedAnswers
	case verdictCut:
		return d.times >= cutAnswers && now.Sub(d.since) >= cutAfter
	default:
		return false
	}
}

// outOfRange finds out what it means that a fetch was told that the offset is not on the topic. That alone is no reason to go anywhere else:
// a broker that was away answers so for a while, whatever the offset.
func (p *partition) outOfRange(ctx context.Context) {
	first, end, err := p.kafka.Bounds(ctx, p.id)
	if err != nil {
		p.watch.outside()
		p.log.Warn("fetch failed, retrying", "partition", p.id, "offset", p.offset, "err", err)
		p.dispute.pause.Wait(ctx)
		return
	}
	f := verdictStale
	switch {
	case p.offset < first:
		f = verdictRemoved
	case p.offset > end:
		f = verdictCut
	}
	sure := p.dispute.found(f, time.Now())
	switch {
	case sure && f == verdictRemoved:
		p.dispute = dispute{}
		p.removed(ctx, first)
	case sure && f == verdictCut:
		p.dispute = dispute{}
		p.ended(ctx, first, end)
	default:
		p.watch.outside()
		if p.dispute.times == 1 {
			p.log.Warn("a broker says that the offset is not on the topic, asking again", "partition", p.id, "offset", p.offset, "oldest", first, "end", end)
		}
		if f == verdictStale {
			p.dispute.pause.Wait(ctx)
		} else {
			backoff.Sleep(ctx, disputePause)
		}
	}
}

// removed goes on at the oldest record, because retention or somebody removed those before it.
func (p *partition) removed(ctx context.Context, oldest int64) {
	if p.current.Records > 0 && len(p.replay) == 0 && !p.seal(ctx) {
		return
	}
	p.logStart = max(p.logStart, oldest)
	from := p.offset
	lost := p.lostBetween(from, oldest)
	if !p.sealReplayed(ctx, oldest) {
		return
	}
	p.say(from, oldest-1, lost)
	p.current.Lost += lost
	p.offset, p.term = oldest, 0
	p.skip(ctx)
}

// say logs that offsets are gone.
func (p *partition) say(from, to, lost int64) {
	if lost == 0 {
		p.log.Warn("offsets were removed from the topic, and none of their records is lost by that", "partition", p.id, "from", from, "to", to)
		return
	}
	p.log.Error("records were removed from the topic before they were read", "partition", p.id, "from", from, "to", to, "lost", lost)
}

// lostBetween is how many offsets from one up to another, which is not included, nobody has dealt with: neither are they recorded, nor
// does the table show that an earlier owner was behind them already, as after a reset of the group's offset.
func (p *partition) lostBetween(from, to int64) int64 {
	if n := len(p.replay); n > 0 {
		from = max(from, p.replay[n-1].Last+1)
	}
	return max(0, to-max(from, p.handled+1))
}

// hole looks at offsets without a record before one that has come. They are lost only where the log begins behind them. Inside the log
// they are markers of transactions, aborted ones, or what compaction left. Where whole batches are missing, retention may be removing them
// at this moment; so the topic is asked where it begins.
func (p *partition) hole(ctx context.Context, r *recordbatch.Record) {
	if !p.asked && p.logStart < r.BaseOffset && max(p.offset, r.PreviousEnd) < r.BaseOffset {
		p.asked = true
		if first, _, err := p.kafka.Bounds(ctx, p.id); err == nil {
			p.logStart = max(p.logStart, first)
		}
	}
	if len(p.replay) > 0 {
		return // see unread
	}
	if lost := p.lostBetween(p.offset, min(r.Offset, p.logStart)); lost > 0 {
		p.say(p.offset, r.Offset-1, lost)
		p.current.Lost += lost
	}
}

// unread is how many records of a recorded range are lost: it had more than there are on the topic now, and their rows are not in the table.
func (p *partition) unread(ctx context.Context, s delivery.Range, records int) (lost int64, ok bool) {
	missing := int64(s.Records - records)
	from, to := s.First, min(s.Last, p.logStart-1)
	if p.cut {
		to = s.Last
	}
	if missing <= 0 || from > to {
		return 0, true
	}
	var there int64
	err := p.until(ctx, loopFetch, func() (err error) {
		there, err = p.table.Held(ctx, p.topic, p.id, from, to)
		return err
	})
	return max(0, min(missing, to-from+1)-there), err == nil
}

// skip says to the one who keeps the ranges that there is no record up to the offset that is fetched next. While there are records in the
// batch, it need not: the range that follows covers what is empty before it.
func (p *partition) skip(ctx context.Context) bool {
	if p.offset <= p.first || p.current.Records > 0 || len(p.replay) > 0 {
		return true
	}
	b := &batch{skip: true}
	b.Last, b.Lost, b.Term = p.offset-1, p.current.Lost, p.term
	p.first, p.current.Lost = p.offset, 0
	return p.hand(ctx, b)
}

// transactionWatch says once when a transaction that is open holds up what comes after it for long.
type transactionWatch struct {
	since time.Time
	said  bool
}

// longTransaction is how long a transaction may be open without a word: the default of transaction.timeout.ms.
const longTransaction = time.Minute

func (w *transactionWatch) look(p *partition, at *kafka.Answer) {
	switch {
	case at.LastStable >= at.HighWatermark || p.offset < at.LastStable:
		*w = transactionWatch{}
	case w.since.IsZero():
		w.since = time.Now()
	case !w.said && time.Since(w.since) >= longTransaction:
		w.said = true
		p.log.Warn("a transaction on the topic is open for long, and holds up what comes after it", "partition", p.id,
			"offset", p.offset, "end", at.HighWatermark, "open_for", time.Since(w.since).Round(time.Second))
	}
}
