package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/gateway/broker"
	"sluice/internal/backoff"
	"sluice/internal/causes"
)

// inflightBatch is a batch on its way.
//
//	       ┌── not written: drop expired requests, encode again, perhaps for another partition ◀─┐
//	       ▼                                                                                     │
//	encode ─▶ send ─▶ acknowledged: the partition's sequence moves on                            │
//	           ▲ │                                                                               │
//	           │ ├──▶ certainly not written, or the producer id is gone (take a new one) ────────┘
//	           │ └──▶ unknown: pinned ──┐
//	           └── the same bytes again ┘ until the last of its requests gives up; then the id is given up too
type inflightBatch struct {
	chunks    []*chunk
	any       bool // no key: each partition will do
	partition int
	// pinned: an earlier attempt may have been written. Kafka drops a copy only if it comes to the same partition under
	// the same producer id and sequence, and is the same batch. So nothing of the batch changes any more, even when
	// some of its requests have been answered 503; that answer says that the event may have been kept.
	pinned  bool
	encoded bool
	began   time.Time // when the lane took it
	// attempts is how many produce requests had the batch.
	attempts int
	spooling [2]time.Time // when it began to be written to the spool, and was written
	part     bool         // it is part of a batch that Kafka refused while it took others
	records  int32
	wire     []byte
}

// send tries until the batch is acknowledged or the last of its requests has given up. It stops for no other reason: a
// drain waits for the attempts that were promised. While a batch is pinned its lane waits with it; records without a
// key leave by the other lanes.
func (l *lane) send(chunks []*chunk) {
	partition := chunks[0].partition
	l.deliver(&inflightBatch{chunks: chunks, any: partition < 0, partition: partition, began: time.Now()})
}

func (l *lane) deliver(b *inflightBatch) {
	if l.fallBack(b) {
		return
	}
	for wait := firstBackoff; !l.expired(b); wait = min(2*wait, lastBackoff) {
		started := time.Now()
		err := l.try(b)
		l.noteOutage(err, started)
		if err != nil {
			l.report(b, err, wait == firstBackoff)
		}
		if l.conclude(b, err) || l.fallBack(b) {
			return
		}
		now := time.Now()
		l.own.expire(&l.pub.flow, now)
		l.pub.shared.expire(&l.pub.flow, now)
		backoff.Sleep(context.Background(), wait/2+rand.N(wait))
	}
}

// noteOutage tells the outage how an attempt ended. A lane whose work a successor has taken over was stuck with one
// broker. The lack of an answer says nothing about the others then: watchOutage asks them.
func (l *lane) noteOutage(err error, started time.Time) {
	if err != nil && !errors.Is(err, broker.ErrAnswered) && l.isReplaced() {
		return
	}
	l.pub.outage.note(err, started, time.Now())
}

// expired finishes the requests whose deadline has passed, and reports whether none is left. A pinned batch stays whole
// while any of its requests waits. When none does and its fate is still unknown, the next batch must not take its
// sequence: Kafka could take one batch for a copy of the other and drop it. So the lane gives up the id too.
func (l *lane) expired(b *inflightBatch) bool {
	now := time.Now()
	if b.pinned {
		for _, c := range b.chunks {
			if now.Before(c.deadline) {
				return false
			}
		}
		l.identity.abandon()
		b.finish(l.pub, ErrDeadline)
		return true
	}
	alive := b.chunks[:0]
	for _, c := range b.chunks {
		if now.Before(c.deadline) {
			alive = append(alive, c)
		} else {
			c.finish(&l.pub.flow, ErrDeadline)
			b.encoded = false
		}
	}
	b.chunks = alive
	return len(alive) == 0
}

func (b *inflightBatch) finish(p *Publisher, err error) {
	for _, c := range b.chunks {
		c.attempts, c.spooling = b.attempts, b.spooling
		c.finish(&p.flow, err)
	}
}

// try sends the batch once.
func (l *lane) try(b *inflightBatch) error {
	ctx, cancel := context.WithDeadline(context.Background(), l.pub.attemptUntil(b))
	defer cancel()
	b.attempts++
	if !b.pinned {
		if err := l.prepare(ctx, b); err != nil {
			return fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
		}
	}
	start := time.Now()
	l.attempt.partition.Store(int32(b.partition))
	l.attempt.cancel.Store(&cancel)
	l.attempt.since.Store(max(1, int64(start.Sub(l.pub.start))))
	err := l.pub.producer.Produce(ctx, b.partition, b.wire)
	l.attempt.since.Store(0)
	now := time.Now()
	l.pub.cfg.Metrics.ProduceSeconds.Observe(now.Sub(start).Seconds())
	l.pub.leaders.note(b.partition, err, now.Sub(start), now)
	return err
}

// prepare decides what an attempt needs and a pinned batch may not change: partition, id, sequence, bytes.
func (l *lane) prepare(ctx context.Context, b *inflightBatch) error {
	partitions := l.pub.Partitions()
	if partitions == 0 {
		return broker.ErrNoPartitions
	}
	if b.any {
		b.partition = l.choosePartition(partitions)
	}
	if !b.encoded {
		b.records = 0
		for _, c := range b.chunks {
			b.records += int32(c.count)
		}
		l.encode(b.chunks)
		b.encoded = true
	}
	sequence, ok := l.identity.sequence(b.partition, b.records)
	if !ok {
		if err := l.identify(ctx); err != nil {
			return err
		}
		sequence, _ = l.identity.sequence(b.partition, b.records)
	}
	b.wire = l.encoder.Seal(l.identity.id, sequence)
	return nil
}

// identify gets a new producer id for the lane, or decides that the lane sends without one for a while. It returns an
// error if it did neither.
func (l *lane) identify(ctx context.Context) error {
	l.identity.abandon()
	id, err := l.pub.producer.NewID(ctx)
	if err == nil {
		l.identity.begin(id)
		l.identity.refusedSince = time.Time{}
		if l.pub.withoutID.Swap(false) {
			l.pub.log.Info("kafka gives producer ids")
		}
		return nil
	}
	if !errors.Is(err, broker.ErrAnswered) {
		return fmt.Errorf("producer id: %w", err)
	}
	now := time.Now()
	if l.identity.refusedSince.IsZero() {
		l.identity.refusedSince = now
	}
	if now.Sub(l.identity.refusedSince) < idPatience {
		return fmt.Errorf("producer id: %w", err)
	}
	l.identity.withoutUntil = now.Add(idAgain)
	if !l.pub.withoutID.Swap(true) {
		l.pub.log.Warn("kafka gives no producer id; a batch that is sent again may be on the topic twice",
			"err", err, "retry", idAgain)
	}
	return nil
}

// conclude decides what follows from an attempt, and reports whether the batch is finished.
func (l *lane) conclude(b *inflightBatch, err error) bool {
	switch {
	case err == nil:
		l.identity.advance(b.partition, b.records)
		b.finish(l.pub, nil)
		return true
	case errors.Is(err, broker.ErrProducerID):
		// A new id starts every partition at 0. If an earlier attempt was written after all, this batch is on the topic
		// twice then; the table keeps one row of each event.
		l.identity.abandon()
		b.pinned = false
	case errors.Is(err, broker.ErrRefused):
		if b.pinned {
			l.identity.abandon()
			b.pinned = false
		}
		return l.refused(b, err)
	case errors.Is(err, broker.ErrNotWritten): // by this attempt; an earlier one may have written it
	default:
		// Without an id Kafka keeps every copy, wherever it goes.
		b.pinned = l.identity.id.Valid()
	}
	return false
}

// refused handles a batch that Kafka refuses, and reports whether the batch is finished. A batch that is too large is
// halved down to single records. Any other refusal is the topic's: a compacted topic takes nothing without a key. Parts
// of the batch would fare no better, so the batch is tried again as in any outage. Only when the topic took another
// batch since is it this batch's fault.
func (l *lane) refused(b *inflightBatch, err error) bool {
	large := errors.Is(err, broker.ErrTooLarge)
	if !large && !b.part && !l.pub.outage.takenSince(b.began) {
		return false
	}
	if b.records > 1 {
		l.halve(b, !large)
	} else {
		b.finish(l.pub, err)
	}
	return true
}

// halve sends each half of a batch alone: half of its requests, or half of the records of its only request.
func (l *lane) halve(b *inflightBatch, part bool) {
	half := func(chunks []*chunk) {
		l.deliver(&inflightBatch{
			chunks: chunks, any: b.any, partition: b.partition, began: b.began, part: b.part || part,
		})
	}
	if n := len(b.chunks) / 2; n > 0 {
		half(b.chunks[:n:n])
		half(b.chunks[n:])
		return
	}
	whole := b.chunks[0]
	first, second := whole.split()
	half([]*chunk{first})
	half([]*chunk{second})
	whole.join(first, second)
}

// until returns when an attempt is given up: after most, and at the latest deadline of its requests at the latest.
func (b *inflightBatch) until(most time.Duration) time.Time {
	last := b.chunks[0].deadline
	for _, c := range b.chunks[1:] {
		if c.deadline.After(last) {
			last = c.deadline
		}
	}
	if soon := time.Now().Add(most); soon.Before(last) {
		return soon
	}
	return last
}

// report counts a failed attempt and logs it. Only the first failure of a batch can be a warning, and each cause is one
// once in an outage.
func (l *lane) report(b *inflightBatch, err error, first bool) {
	reason := broker.ReasonOf(err)
	l.pub.cfg.Metrics.Errors.WithLabelValues(reason).Inc()
	log := l.pub.log.Debug
	if first && l.pub.failures.isNew(reason+" "+causes.Of(0, err), time.Now()) {
		log = l.pub.log.Warn
	}
	log("kafka did not take a batch", "partition", b.partition, "records", b.records, "reason", reason, "err", err)
}
