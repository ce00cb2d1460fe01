package publish

import (
	"slices"
	"sync/atomic"
	"time"

	"sluice/gateway/broker"
	"sluice/gateway/spool"
	"sluice/internal/recordbatch"
)

// fallback is the way of the batches that Kafka does not take: to the spool, and from there to Kafka when it is back.
type fallback struct {
	spool    *spool.Spool  // nil: there is none, and requests wait for Kafka or are answered 503
	replay   *replay       // empties the spool
	patience time.Duration // how long Kafka may fail to take a batch
	attempt  time.Duration // bounds one attempt
	margin   time.Duration // time left for the disk before a request gives up
	draining atomic.Bool
}

// withSpool gives the publisher a spool. Requests wait for at most requestTimeout, so Kafka's chance must end early
// enough for the disk.
func (p *Publisher) withSpool(s *spool.Spool, requestTimeout time.Duration) {
	p.fallback.spool = s
	p.fallback.patience = min(outageAfter, requestTimeout/4)
	p.fallback.attempt = min(outageAfter, requestTimeout/2)
	p.fallback.margin = requestTimeout / 10
	p.fallback.replay = newReplay(p, s)
}

// attemptUntil returns when an attempt at a batch is given up.
func (p *Publisher) attemptUntil(b *inflightBatch) time.Time {
	if p.fallback.spool == nil {
		return b.until(AttemptTimeout)
	}
	now := time.Now()
	if p.outage.away(now) {
		return b.until(outageWait)
	}
	// A batch that has waited for long must reach the spool before its first request gives up.
	first := b.chunks[0].deadline
	for _, c := range b.chunks[1:] {
		if c.deadline.Before(first) {
			first = c.deadline
		}
	}
	left := first.Sub(now) - p.fallback.margin
	return b.until(min(p.fallback.attempt, max(left, p.fallback.margin)))
}

// fallBack gives a batch that Kafka does not take to the spool, and reports whether the batch is finished. Kafka has
// its chance first: for fallback.patience if it is not known to be away, and one attempt if it is this batch that finds
// out whether Kafka is back.
//
// If the spool does not take the batch either, its requests are answered 503: at once if Kafka is known to be away, and
// at their deadlines otherwise.
func (l *lane) fallBack(b *inflightBatch) bool {
	p, now := l.pub, time.Now()
	f := &p.fallback
	if f.spool == nil {
		return false
	}
	away := p.outage.away(now)
	if b.attempts == 0 && (!away || p.outage.mayTry(now)) {
		return false
	}
	if b.attempts > 0 && !away && !f.draining.Load() && now.Sub(b.began) < f.patience && !b.expiresBefore(now.Add(f.margin)) {
		return false
	}
	if l.dropTooLarge(b); len(b.chunks) == 0 {
		return true
	}
	err := f.spool.Append(b.entry())
	if err == nil {
		b.spooling = [2]time.Time{now, time.Now()}
	}
	if err != nil && !away {
		return false
	}
	if b.pinned { // as if it had been given up; it may be on the topic twice in the end
		l.identity.abandon()
	}
	b.finish(p, err)
	return true
}

// dropTooLarge finishes the requests of single events that fit into no batch of the topic, as far as the topic's
// settings are known. The spool could never give them to Kafka. A pinned batch must not change, so it keeps them.
func (l *lane) dropTooLarge(b *inflightBatch) {
	limit := l.pub.pool.batch.limit()
	if limit == 0 || b.pinned {
		return
	}
	b.chunks = slices.DeleteFunc(b.chunks, func(c *chunk) bool {
		if c.count > 1 || c.size()+recordbatch.HeaderSize <= limit {
			return false
		}
		size := l.encode([]*chunk{c})
		b.encoded = false
		if size <= limit {
			return false
		}
		c.finish(&l.pub.flow, broker.ErrTooLarge)
		return true
	})
}

// expiresBefore reports whether a request of the batch gives up before then.
func (b *inflightBatch) expiresBefore(then time.Time) bool {
	return slices.ContainsFunc(b.chunks, func(c *chunk) bool { return c.deadline.Before(then) })
}

// entry is the batch as an entry of the spool.
func (b *inflightBatch) entry() spool.Entry {
	e := spool.Entry{Partition: b.chunks[0].partition}
	size := 0
	for _, c := range b.chunks {
		size += len(c.records)
	}
	e.Records = make([]byte, 0, size)
	for _, c := range b.chunks {
		e.Records = append(e.Records, c.records...)
		e.Count += c.count
	}
	return e
}
