package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sluice/gateway/broker"
	"time"
)

const (
	firstBackoff = 20 * time.Millisecond
	// lastBackoff bounds the time between two attempts, so that a lane notices soon that Kafka is back.
	lastBackoff = 400 * time.Millisecond
)

// sending is a batch on its way.
//
//	       ┌── not written: drop expired requests, encode anew, perhaps another partition ◀─┐
//	       ▼                                                                                │
//	encode ─▶ send ─▶ acknowledged: the partition's sequence moves on                       │
//	           ▲ │                                                                          │
//	           │ ├──▶ certainly not written, or the producer id is gone (take a new one) ───┘
//	           │ └──▶ nobody knows: pinned ─┐
//	           └── the same bytes again ────┘ until the last of its requests gives up; then the id is given up with it
type sending struct {
	chunks    []*chunk
	any       bool // no key: each of the lane's partitions will do
	partition int
	// pinned: an earlier attempt may have been written. Kafka drops a copy only if it comes to the same partition under the
	// same producer id and sequence, and is the same batch. So nothing of it changes any more, even when some of its requests
	// have been answered 503 meanwhile; that answer says that the event may have been kept.
	pinned  bool
	encoded bool
	began   time.Time // when it was first looked at
	tried   bool
	divided bool // part of a batch that Kafka refused while it took others
	records int32
	wire    []byte
}

// send tries until the batch is acknowledged or the last of its requests has given up. It retries under no context but the
// requests' own deadlines: a drain waits for what was promised to be tried. While a batch is pinned its lane waits with it;
// records without a key go through the other lanes.
func (l *lane) send(chunks []*chunk) {
	l.deliver(&sending{chunks: chunks, any: chunks[0].partition < 0, partition: chunks[0].partition, began: time.Now()})
}

func (l *lane) deliver(s *sending) {
	if l.detour(s) {
		return
	}
	for backoff := firstBackoff; !l.expired(s); backoff = min(2*backoff, lastBackoff) {
		started := time.Now()
		err := l.attempt(s)
		l.pub.outage.note(err, started, time.Now())
		if err != nil {
			l.report(s, err, backoff == firstBackoff)
		}
		if l.settled(s, err) || l.detour(s) {
			return
		}
		now := time.Now()
		l.own.expire(l.pub, now)
		l.pub.shared.expire(l.pub, now)
		pause(context.Background(), backoff/2+rand.N(backoff))
	}
}

// expired ends requests whose deadline has passed, and says whether none is left. A pinned batch is kept whole as long as
// anybody waits for it. When nobody does, and still nobody knows whether it was written, the next batch must not take its
// sequence: Kafka could take the one for a copy of the other and drop it. So the id goes too.
func (l *lane) expired(s *sending) bool {
	now := time.Now()
	if s.pinned {
		for _, c := range s.chunks {
			if now.Before(c.deadline) {
				return false
			}
		}
		l.identity.abandon()
		s.finish(l.pub, ErrDeadline)
		return true
	}
	alive := s.chunks[:0]
	for _, c := range s.chunks {
		if now.Before(c.deadline) {
			alive = append(alive, c)
		} else {
			c.finish(l.pub, ErrDeadline)
			s.encoded = false
		}
	}
	s.chunks = alive
	return len(alive) == 0
}

func (s *sending) finish(pub *Publisher, err error) {
	for _, c := range s.chunks {
		c.finish(pub, err)
	}
}

// attempt sends the batch once.
func (l *lane) attempt(s *sending) error {
	ctx, cancel := context.WithDeadline(context.Background(), l.pub.attemptUntil(s))
	defer cancel()
	s.tried = true
	if !s.pinned {
		if err := l.prepare(ctx, s); err != nil {
			return fmt.Errorf("%w: %w", broker.ErrNotWritten, err)
		}
	}
	start := time.Now()
	l.attempts.partition.Store(int32(s.partition)) //nolint:gosec // Kafka's own numbers
	l.attempts.cancel.Store(&cancel)
	l.attempts.since.Store(max(1, int64(start.Sub(l.pub.start))))
	err := l.pub.producer.Produce(ctx, s.partition, s.wire)
	l.attempts.since.Store(0)
	now := time.Now()
	l.pub.metrics.ProduceSeconds.Observe(now.Sub(start).Seconds())
	l.pub.leaders.note(s.partition, err, now)
	return err
}

// prepare decides all that an attempt needs and that a pinned batch may not change: partition, id, sequence, bytes.
func (l *lane) prepare(ctx context.Context, s *sending) error {
	partitions := int(l.pub.partitions.Load())
	if partitions == 0 {
		return broker.ErrNoPartitions
	}
	if s.any {
		s.partition = l.place(partitions)
	}
	if !s.encoded {
		s.records = 0
		for _, c := range s.chunks {
			s.records += int32(c.count) //nolint:gosec // maxBatchRecords at most
		}
		l.encode(s.chunks)
		s.encoded = true
	}
	sequence, ok := l.identity.sequence(s.partition, s.records)
	if !ok {
		if err := l.identify(ctx); err != nil {
			return err
		}
		sequence, _ = l.identity.sequence(s.partition, s.records)
	}
	s.wire = l.encoder.Seal(l.identity.id, sequence)
	return nil
}

// settled draws the conclusions from an attempt and says whether the batch is done with.
func (l *lane) settled(s *sending, err error) bool {
	switch {
	case err == nil:
		l.identity.advance(s.partition, s.records)
		s.finish(l.pub, nil)
		return true
	case errors.Is(err, broker.ErrProducerID):
		// A new id starts every partition at 0. If an earlier attempt was written after all, this batch is on the topic
		// twice then; the table keeps one row of each event.
		l.identity.abandon()
		s.pinned = false
	case errors.Is(err, broker.ErrRefused):
		if s.pinned {
			l.identity.abandon()
			s.pinned = false
		}
		return l.refused(s, err)
	case errors.Is(err, broker.ErrNotWritten): // this attempt; an earlier one may have been
	default:
		// Without an id Kafka keeps every copy, wherever it goes.
		s.pinned = l.identity.id.Valid()
	}
	return false
}

// refused deals with a batch that Kafka refuses, and says whether it is done with. One that is too large is halved down to single
// records. Any other refusal is the topic's, such as a compacted one that takes nothing without a key: no part of the batch would
// fare better, and it is tried again as in any outage. Only when the topic took another batch meanwhile is it this batch's fault.
func (l *lane) refused(s *sending, err error) bool {
	large := errors.Is(err, broker.ErrTooLarge)
	if !large && !s.divided && !l.pub.outage.takenSince(s.began) {
		return false
	}
	if s.records > 1 {
		l.divide(s, !large)
	} else {
		s.finish(l.pub, err)
	}
	return true
}

// divide sends both halves of a batch by themselves: half of its requests each, or of the records of its only request.
func (l *lane) divide(s *sending, divided bool) {
	half := func(chunks []*chunk) {
		l.deliver(&sending{chunks: chunks, any: s.any, partition: s.partition, began: s.began, divided: s.divided || divided})
	}
	if n := len(s.chunks) / 2; n > 0 {
		half(s.chunks[:n:n])
		half(s.chunks[n:])
		return
	}
	whole := s.chunks[0]
	first, second := whole.cut()
	half([]*chunk{first})
	half([]*chunk{second})
	whole.join(first, second)
}

// until is when an attempt is given up: at the latest deadline of its requests, or after most to try again.
func (s *sending) until(most time.Duration) time.Time {
	last := s.chunks[0].deadline
	for _, c := range s.chunks[1:] {
		if c.deadline.After(last) {
			last = c.deadline
		}
	}
	if soon := time.Now().Add(most); soon.Before(last) {
		return soon
	}
	return last
}

// report counts a failed attempt and logs it; a batch warns once.
func (l *lane) report(s *sending, err error, first bool) {
	reason := broker.ReasonOf(err)
	l.pub.metrics.Errors.WithLabelValues(reason).Inc()
	say := l.pub.log.Debug
	if first {
		say = l.pub.log.Warn
	}
	say("kafka did not take a batch", "partition", s.partition, "records", s.records, "reason", reason, "err", err)
}
