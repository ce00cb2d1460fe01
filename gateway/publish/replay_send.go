package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/gateway/broker"
	"sluice/gateway/spool"
	"sluice/internal/backoff"
)

const (
	// rejectedMost is how many single records Kafka may refuse in a row, and take none in between, before all of the
	// spool counts as refused: enough not to take a few bad records for a bad topic, few enough not to send a whole
	// spool record by record.
	rejectedMost = 8
	// stepsAhead is how many more batches replay sends when Kafka has refused all that it sent.
	stepsAhead = 2
	// refusedPause is how long replay waits when Kafka refuses all of the spool.
	refusedPause = 2 * time.Second
)

// errRefusesAll makes an outage of a Kafka that answers and takes nothing.
var errRefusesAll = fmt.Errorf("%w: %w", broker.ErrAnswered, broker.ErrRefused)

// refusals is what replay knows about refusals. Kafka refuses a record because of the record, or because of the topic:
// a compacted one, or one that takes a few bytes only. Whether the topic takes anything else tells the two apart.
type refusals struct {
	since    time.Time     // of the first attempt at what is being sent
	rejected []rejected    // single records that Kafka refused
	held     []spool.Entry // entries that Kafka refused as a whole; the next step sends them again
	logged   bool          // that Kafka refuses all
}

type rejected struct {
	chunk *chunk
	cause error
}

// result is how sending part of the spool ended.
type result int

const (
	sent       result = iota // Kafka has it, except for the rejected records
	stopped                  // ctx ended
	allRefused               // the topic takes nothing
)

// sendWithMore sends entries. When Kafka refuses all of them, it sends the entries behind them too, stepsAhead times,
// to see whether the topic takes anything. It returns all entries that it sent.
func (r *replay) sendWithMore(ctx context.Context, entries []spool.Entry) ([]spool.Entry, result) {
	end := r.sendEntries(ctx, entries)
	for range stepsAhead {
		if end != sent || !r.nothingTaken() {
			break
		}
		more := r.spool.TakeMore(min(replayBytes, r.pub.pool.batch.bytes()), maxBatchRecords)
		if len(more) == 0 {
			break
		}
		entries = append(entries, more...)
		end = r.sendEntries(ctx, more)
	}
	if end == sent && r.nothingTaken() {
		end = allRefused
	}
	if end != sent {
		r.dropRejected()
	}
	return entries, end
}

// nothingTaken reports whether Kafka refused records and took none.
func (r *replay) nothingTaken() bool {
	return len(r.refusals.rejected) > 0 && !r.pub.outage.takenSince(r.refusals.since)
}

func (r *replay) sendEntries(ctx context.Context, entries []spool.Entry) result {
	batches := r.batches(entries)
	for i, b := range batches {
		if end := r.send(ctx, b); end != sent {
			for _, rest := range batches[i+1:] {
				r.giveUp(rest)
			}
			return end
		}
	}
	return sent
}

// send tries until Kafka has the batch or refuses it, or ctx ends.
func (r *replay) send(ctx context.Context, b *inflightBatch) result {
	for wait := firstBackoff; len(b.chunks) > 0; wait = min(2*wait, outageWait) {
		if ctx.Err() != nil {
			r.giveUp(b)
			return stopped
		}
		started := time.Now()
		err := r.lane.try(b)
		switch {
		case err == nil:
			r.took += time.Since(started)
			r.pub.outage.note(nil, started, time.Now())
		case errors.Is(err, broker.ErrRefused):
			r.took += time.Since(started)
			r.pub.cfg.Metrics.Errors.WithLabelValues(broker.ReasonOf(err)).Inc()
			return r.findRejected(ctx, b, err)
		default:
			r.lane.report(b, err, wait == firstBackoff)
		}
		if r.lane.conclude(b, err) {
			return sent
		}
		backoff.Sleep(ctx, wait)
	}
	return sent
}

// giveUp ends a batch that stays in the spool.
func (r *replay) giveUp(b *inflightBatch) { b.finish(r.pub, ErrDeadline) }

// findRejected finds the records of a batch that Kafka refuses, by halves, and sends the others.
func (r *replay) findRejected(ctx context.Context, b *inflightBatch, cause error) result {
	if b.pinned {
		r.lane.identity.abandon()
	}
	if b.records > 1 {
		return r.sendHalves(ctx, b)
	}
	r.refusals.rejected = append(r.refusals.rejected, rejected{b.chunks[0], cause})
	if len(r.refusals.rejected) >= rejectedMost && r.nothingTaken() {
		return allRefused
	}
	return sent
}

func (r *replay) sendHalves(ctx context.Context, b *inflightBatch) result {
	half := func(chunks ...*chunk) *inflightBatch {
		return &inflightBatch{chunks: chunks, any: b.any, partition: b.partition}
	}
	both := func(first, second *inflightBatch) result {
		if end := r.send(ctx, first); end != sent {
			r.giveUp(second)
			return end
		}
		return r.send(ctx, second)
	}
	if n := len(b.chunks) / 2; n > 0 {
		return both(half(b.chunks[:n]...), half(b.chunks[n:]...))
	}
	// The whole is never finished: no request waits for it, and its bytes in flight are the halves'.
	first, second := b.chunks[0].split()
	return both(half(first), half(second))
}

// waitRefused keeps entries that Kafka refuses as a whole for the next step, and waits. It is an outage.
func (r *replay) waitRefused(ctx context.Context, entries []spool.Entry) bool {
	r.refusals.held = entries
	r.pub.outage.note(errRefusesAll, r.refusals.since, time.Now())
	if !r.refusals.logged {
		r.refusals.logged = true
		r.log.Error("kafka refuses every event in the spool; see gateway check; the spool keeps them and tries again",
			"events", r.spool.Stats().Events, "reason", r.pub.outage.reason(), "retry", refusedPause)
	}
	timer := time.NewTimer(refusedPause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-r.topicChanged:
	case <-timer.C:
	}
	return true
}

// quarantineRejected puts the rejected records into the spool's quarantine. It returns false if ctx ended first.
func (r *replay) quarantineRejected(ctx context.Context) bool {
	r.refusals.logged = false
	defer r.dropRejected()
	for len(r.refusals.rejected) > 0 {
		c, cause := r.refusals.rejected[0].chunk, r.refusals.rejected[0].cause
		e := spool.Entry{AcceptedAt: c.accepted, Partition: c.partition, Count: c.count, Records: c.records}
		err := r.spool.Quarantine(e, cause)
		if err == nil {
			c.finish(&r.pub.flow, ErrDeadline)
			r.refusals.rejected = r.refusals.rejected[1:]
			continue
		}
		r.log.Error("spool cannot quarantine what kafka refuses", "err", err, "retry", replayRetry)
		if !backoff.Sleep(ctx, replayRetry) {
			return false
		}
	}
	return true
}

// dropRejected forgets the rejected records: they are in the spool.
func (r *replay) dropRejected() {
	for _, j := range r.refusals.rejected {
		j.chunk.finish(&r.pub.flow, ErrDeadline)
	}
	r.refusals.rejected = nil
}

// sendQuarantined sends the entries in quarantine once more. Those that Kafka takes leave the spool.
func (r *replay) sendQuarantined(ctx context.Context) {
	taken, refused := int64(0), 0
	for e := range r.spool.Quarantined() {
		if !r.waitForPartitions(ctx) || !r.yieldToRequests(ctx) {
			return
		}
		r.refusals.since = time.Now()
		end := r.sendEntries(ctx, []spool.Entry{e.Entry})
		again := len(r.refusals.rejected)
		if end == stopped || !r.quarantineRest(ctx, end, e.Count) {
			r.dropRejected()
			return
		}
		if again > 0 && again == e.Count || end == allRefused {
			if refused++; refused >= rejectedMost && taken == 0 {
				return // Kafka still refuses all of them
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
		r.log.Info("kafka took events that it had refused", "events", taken, "refused", r.spool.Stats().Refused)
	}
}

// quarantineRest gives the rejected records of one quarantined entry files of their own, if Kafka took others of the
// entry. Otherwise the entry stays as it is.
func (r *replay) quarantineRest(ctx context.Context, end result, records int) bool {
	if n := len(r.refusals.rejected); n == 0 || n == records || end == allRefused {
		r.dropRejected()
		return true
	}
	return r.quarantineRejected(ctx)
}
