package gateway

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"
)

const (
	// replayBytes bounds a batch of replay. It is a quarter of the largest, so that live batches are not held up for long by one.
	replayBytes = maxBatchBytes / 4
	// replayYield is how long replay lets waiting requests go first, at most: it is never starved.
	replayYield = 200 * time.Millisecond
	replayPoll  = 5 * time.Millisecond
	// replayRetry is how long replay waits after the spool could not be read or cleaned up.
	replayRetry = time.Second
)

// replay sends what waits in the spool, in order, with a lane and a producer id of its own.
//
//	take ─▶ one batch a partition ─▶ Kafka acknowledges all ─▶ done ─▶ a pause as long as that took
//	          ▲                │
//	          └── for ever ◀───┘ not taken
//
// Its one batch under way, the pause and the precedence of waiting requests keep it slower than live traffic; at the least it
// sends one batch in replayYield and twice the time that Kafka takes. While Kafka is away its attempts find out that it is back,
// also when no requests come.
type replay struct {
	pub   *publisher
	spool *spool
	lane  *lane
	log   *slog.Logger
	sent  int64         // events since the spool was last empty
	took  time.Duration // Kafka, for what the step sent
}

func newReplay(p *publisher, s *spool) *replay {
	return &replay{pub: p, spool: s, log: p.log, lane: &lane{pub: p, every: 1, own: newQueue(), identity: newIdentity()}}
}

// run sends until ctx ends. What it has not sent by then stays in the spool.
func (r *replay) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.spool.wake:
		}
		for r.step(ctx) {
		}
	}
}

// step sends what is next, and says whether there may be more.
func (r *replay) step(ctx context.Context) bool {
	if !r.placed(ctx) || !r.yield(ctx) {
		return false
	}
	r.took = 0
	entries, err := r.spool.take(replayBytes, maxBatchRecords)
	if err != nil {
		r.log.Error("spool cannot be read", "err", err, "retry", replayRetry)
		return sleep(ctx, replayRetry)
	}
	if len(entries) == 0 {
		if r.sent > 0 {
			r.log.Info("spool is empty", "events", r.sent)
			r.sent = 0
		}
		return false
	}
	for _, batch := range r.batches(entries) {
		if !r.forward(ctx, batch) {
			return false
		}
	}
	for _, e := range entries {
		r.sent += int64(e.count)
	}
	if err = r.spool.done(); err != nil {
		r.log.Error("spool cannot be cleaned up", "err", err, "retry", replayRetry)
		return sleep(ctx, replayRetry) // take tries it again
	}
	return sleep(ctx, r.took)
}

// placed waits until the topic's partitions are known: keys have no place before.
func (r *replay) placed(ctx context.Context) bool {
	for r.pub.partitions.Load() == 0 {
		if !sleep(ctx, outageProbe) {
			return false
		}
	}
	return true
}

// yield lets requests go first that wait to be sent.
func (r *replay) yield(ctx context.Context) bool {
	for until := time.Now().Add(replayYield); r.pub.busy() && time.Now().Before(until); {
		if !sleep(ctx, replayPoll) {
			return false
		}
	}
	return ctx.Err() == nil
}

// busy says whether requests wait to be sent.
func (p *publisher) busy() bool {
	for _, l := range p.lanes {
		if !l.own.empty() {
			return true
		}
	}
	return !p.shared.empty()
}

// batches makes a batch for each partition of the entries, in order. Those for any partition are one batch too.
func (r *replay) batches(entries []entry) []*sending {
	var batches []*sending
	of := map[int]*sending{}
	for _, e := range entries {
		for _, c := range r.pieces(e) {
			s := of[c.partition]
			if s == nil {
				s = &sending{any: c.partition < 0, partition: c.partition}
				of[c.partition] = s
				batches = append(batches, s)
			}
			s.chunks = append(s.chunks, c)
		}
	}
	return batches
}

// pieces are an entry's records, cut where the partition changes. An entry knows its partition, unless it was kept before
// anybody knew how many there are: then its keys decide now.
func (r *replay) pieces(e entry) []*chunk {
	n := int(r.pub.partitions.Load())
	if e.partition >= 0 {
		return []*chunk{r.chunk(e.records, e.count, e.partition%n)}
	}
	var pieces []*chunk
	for rest, from, at, count := e.records, 0, 0, 0; len(rest) > 0; {
		size, width := binary.Uvarint(rest)
		tail := rest[width:][:size]
		rest = rest[width+len(tail):]
		at += width + len(tail)
		count++
		partition := r.pub.partitionOf(keyOf(tail))
		if len(rest) > 0 && r.pub.partitionOf(nextKey(rest)) == partition {
			continue
		}
		pieces = append(pieces, r.chunk(e.records[from:at], count, partition))
		from, count = at, 0
	}
	return pieces
}

// keyOf is the key at the beginning of a record's tail; nil: none.
func keyOf(tail []byte) []byte {
	n, width := binary.Varint(tail)
	if n < 0 || width <= 0 || n > int64(len(tail)-width) {
		return nil
	}
	return tail[width:][:n]
}

func nextKey(tails []byte) []byte {
	size, width := binary.Uvarint(tails)
	return keyOf(tails[width:][:size])
}

// chunk is one that nobody waits for and whose memory is not the pool's: it keeps a holder for ever.
func (r *replay) chunk(records []byte, count, partition int) *chunk {
	c := &chunk{records: records, count: count, partition: partition, done: make(chan struct{}, 1)}
	c.deadline = time.Now().Add(100 * 365 * 24 * time.Hour)
	c.holders.Store(2)
	r.pub.inflight.Add(int64(c.size()))
	return c
}

// forward tries until Kafka has the batch, or ctx ends. An entry that it refuses for good is kept aside: nothing behind it is
// to wait for ever.
func (r *replay) forward(ctx context.Context, s *sending) bool {
	for backoff := firstBackoff; len(s.chunks) > 0; backoff = min(2*backoff, outageWait) {
		if ctx.Err() != nil {
			r.giveUp(s)
			return false
		}
		started := time.Now()
		err := r.lane.attempt(s)
		if err == nil || errors.Is(err, ErrRefused) {
			r.took += time.Since(started)
			r.pub.outage.note(err, started, time.Now())
		}
		if errors.Is(err, ErrRefused) {
			return r.refused(ctx, s, err)
		}
		if err != nil {
			r.lane.report(s, err, backoff == firstBackoff)
		}
		if r.lane.settled(s, err) {
			return true
		}
		sleep(ctx, backoff)
	}
	return true
}

// giveUp parts with a batch that stays in the spool.
func (r *replay) giveUp(s *sending) { s.finish(r.pub, errDeadline) }

// refused finds the entry that Kafka refuses, and keeps it where an operator finds it.
func (r *replay) refused(ctx context.Context, s *sending, cause error) bool {
	if s.pinned {
		r.lane.identity.abandon()
	}
	if n := len(s.chunks) / 2; n > 0 {
		first := &sending{chunks: s.chunks[:n:n], any: s.any, partition: s.partition}
		second := &sending{chunks: s.chunks[n:], any: s.any, partition: s.partition}
		if !r.forward(ctx, first) {
			r.giveUp(second)
			return false
		}
		return r.forward(ctx, second)
	}
	c := s.chunks[0]
	for {
		err := r.spool.keepRefused(&entry{acceptedAt: r.spool.now(), partition: c.partition, count: c.count, records: c.records}, cause)
		if err == nil {
			s.finish(r.pub, nil)
			return true
		}
		r.log.Error("spool cannot keep what kafka refuses", "err", err, "retry", replayRetry)
		if !sleep(ctx, replayRetry) {
			r.giveUp(s)
			return false
		}
	}
}
