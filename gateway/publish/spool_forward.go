package publish

import (
	"context"
	"errors"
	"fmt"
	"sluice/gateway/broker"
	"sluice/gateway/spool"
	"time"
)

const (
	// suspectsMost is how many single records Kafka may refuse in a row, none taken in between, before all of the spool counts as
	// refused: enough not to take a few bad records for a bad topic, few enough not to send a whole spool record by record.
	suspectsMost = 8
	// suspectsAhead is how many batches more replay looks at when it has met nothing but refused records.
	suspectsAhead = 2
	// refusedPause is how long replay waits when Kafka refuses all of the spool.
	refusedPause = 2 * time.Second
	// refusedAgain is how often what Kafka refuses is tried again, besides at the start and when the topic's settings change.
	refusedAgain = time.Minute
)

// errRefusesAll is an outage: Kafka answers, and takes nothing.
var errRefusesAll = fmt.Errorf("%w: %w", broker.ErrAnswered, broker.ErrRefused)

// refusing is what replay knows about refusals. Kafka refuses a record for what the record is, or for what the topic is, such as
// compacted or with a bound of a few bytes. What tells one from the other is whether the topic takes anything else.
type refusing struct {
	since    time.Time     // of the first attempt at what is being sent
	suspects []suspect     // single records that were refused
	held     []spool.Entry // refused as a whole: the next step tries it again
	said     bool
}

type suspect struct {
	chunk *chunk
	cause error
}

// verdict is how an attempt to send part of the spool ended.
type verdict int

const (
	forwarded  verdict = iota // Kafka has it, but for the suspects
	stopped                   // ctx ended
	turnedDown                // the topic takes nothing
)

// forwardWith sends entries. When all of them are refused it goes on with those behind them, for a while, to see whether the
// topic takes anything. It returns all that it sent.
func (r *replay) forwardWith(ctx context.Context, entries []spool.Entry) ([]spool.Entry, verdict) {
	end := r.forwardAll(ctx, entries)
	for range suspectsAhead {
		if end != forwarded || !r.doubtful() {
			break
		}
		more := r.spool.TakeMore(min(replayBytes, r.pub.memory.batch.bytes()), maxBatchRecords)
		if len(more) == 0 {
			break
		}
		entries = append(entries, more...)
		end = r.forwardAll(ctx, more)
	}
	if end == forwarded && r.doubtful() {
		end = turnedDown
	}
	if end != forwarded {
		r.dropSuspects()
	}
	return entries, end
}

// doubtful says whether there are suspects, and nothing that the topic took.
func (r *replay) doubtful() bool {
	return len(r.refusing.suspects) > 0 && !r.pub.outage.takenSince(r.refusing.since)
}

func (r *replay) forwardAll(ctx context.Context, entries []spool.Entry) verdict {
	batches := r.batches(entries)
	for i, batch := range batches {
		if end := r.forward(ctx, batch); end != forwarded {
			for _, rest := range batches[i+1:] {
				r.giveUp(rest)
			}
			return end
		}
	}
	return forwarded
}

// forward tries until Kafka has the batch or refuses it, or ctx ends.
func (r *replay) forward(ctx context.Context, s *sending) verdict {
	for backoff := firstBackoff; len(s.chunks) > 0; backoff = min(2*backoff, outageWait) {
		if ctx.Err() != nil {
			r.giveUp(s)
			return stopped
		}
		started := time.Now()
		err := r.lane.attempt(s)
		switch {
		case err == nil:
			r.took += time.Since(started)
			r.pub.outage.note(nil, started, time.Now())
		case errors.Is(err, broker.ErrRefused):
			r.took += time.Since(started)
			r.pub.metrics.Errors.WithLabelValues(broker.ReasonOf(err)).Inc()
			return r.refused(ctx, s, err)
		default:
			r.lane.report(s, err, backoff == firstBackoff)
		}
		if r.lane.settled(s, err) {
			return forwarded
		}
		pause(ctx, backoff)
	}
	return forwarded
}

// giveUp parts with a batch that stays in the spool.
func (r *replay) giveUp(s *sending) { s.finish(r.pub, ErrDeadline) }

// refused finds the records that Kafka refuses, by halves.
func (r *replay) refused(ctx context.Context, s *sending, cause error) verdict {
	if s.pinned {
		r.lane.identity.abandon()
	}
	if s.records > 1 {
		return r.halve(ctx, s)
	}
	r.refusing.suspects = append(r.refusing.suspects, suspect{s.chunks[0], cause})
	if len(r.refusing.suspects) >= suspectsMost && r.doubtful() {
		return turnedDown
	}
	return forwarded
}

func (r *replay) halve(ctx context.Context, s *sending) verdict {
	half := func(chunks ...*chunk) *sending {
		return &sending{chunks: chunks, any: s.any, partition: s.partition}
	}
	both := func(first, second *sending) verdict {
		if end := r.forward(ctx, first); end != forwarded {
			r.giveUp(second)
			return end
		}
		return r.forward(ctx, second)
	}
	if n := len(s.chunks) / 2; n > 0 {
		return both(half(s.chunks[:n]...), half(s.chunks[n:]...))
	}
	first, second := s.chunks[0].cut() // the whole is never finished: nobody waits for it, and its bytes are the halves'
	return both(half(first), half(second))
}

// hold keeps what Kafka refuses as a whole for the next step: it is an outage, and the spool waits.
func (r *replay) hold(ctx context.Context, entries []spool.Entry) bool {
	r.refusing.held = entries
	r.pub.outage.note(errRefusesAll, r.refusing.since, time.Now())
	if !r.refusing.said {
		r.refusing.said = true
		r.log.Error("kafka refuses all that waits in the spool; it stays there and is tried again; see what gateway check says of the topic",
			"events", r.spool.Stats().Events, "reason", r.pub.outage.reason(), "retry", refusedPause)
	}
	timer := time.NewTimer(refusedPause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-r.mended:
	case <-timer.C:
	}
	return true
}

// keepSuspects keeps the records that Kafka refuses while it takes others where an operator finds them.
func (r *replay) keepSuspects(ctx context.Context) bool {
	r.refusing.said = false
	defer r.dropSuspects()
	for len(r.refusing.suspects) > 0 {
		c, cause := r.refusing.suspects[0].chunk, r.refusing.suspects[0].cause
		err := r.spool.Quarantine(spool.Entry{AcceptedAt: c.accepted, Partition: c.partition, Count: c.count, Records: c.records}, cause)
		if err == nil {
			c.finish(r.pub, ErrDeadline)
			r.refusing.suspects = r.refusing.suspects[1:]
			continue
		}
		r.log.Error("spool cannot keep what kafka refuses", "err", err, "retry", replayRetry)
		if !pause(ctx, replayRetry) {
			return false
		}
	}
	return true
}

// dropSuspects forgets them: they are in the spool.
func (r *replay) dropSuspects() {
	for _, s := range r.refusing.suspects {
		s.chunk.finish(r.pub, ErrDeadline)
	}
	r.refusing.suspects = nil
}

// tryRefused sends the entries once more that Kafka refused before. Those that it takes leave the spool.
func (r *replay) tryRefused(ctx context.Context) {
	taken, refused := int64(0), 0
	for e := range r.spool.Quarantined() {
		if !r.placed(ctx) || !r.yield(ctx) {
			return
		}
		r.refusing.since = time.Now()
		end := r.forwardAll(ctx, []spool.Entry{e.Entry})
		again := len(r.refusing.suspects)
		if end == stopped || !r.keepRest(ctx, end, e.Count) {
			r.dropSuspects()
			return
		}
		if again > 0 && again == e.Count || end == turnedDown {
			if refused++; refused >= suspectsMost && taken == 0 {
				return // all the same still
			}
			continue
		}
		if err := r.spool.Release(e); err != nil {
			r.log.Error("spool cannot be cleaned up", "err", err, "retry", r.pub.cfg.RetryRefused)
			return
		}
		taken += int64(e.Count - again)
	}
	if taken > 0 {
		r.log.Info("kafka took what it had refused", "events", taken, "refused", r.spool.Stats().Refused)
	}
}

// keepRest deals with the suspects of one refused entry: where only some of its records are still refused they get files of their
// own, and the entry's can go. Where the topic takes nothing the entry stays as it is.
func (r *replay) keepRest(ctx context.Context, end verdict, records int) bool {
	if n := len(r.refusing.suspects); n == 0 || n == records || end == turnedDown {
		r.dropSuspects()
		return true
	}
	return r.keepSuspects(ctx)
}
