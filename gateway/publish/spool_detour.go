package publish

import (
	"slices"
	"sync/atomic"
	"time"

	"sluice/gateway/broker"
	"sluice/gateway/spool"
	"sluice/internal/recordbatch"
)

// detour is the way around Kafka: what it does not take goes to the spool, and from there to Kafka once it is back.
type detour struct {
	spool    *spool.Spool  // nil: there is none, and requests wait for Kafka or are answered 503
	replay   *replay       // what empties it
	patience time.Duration // with a batch that Kafka does not take
	attempt  time.Duration // most of one attempt
	margin   time.Duration // kept for the disk before a request gives up
	draining atomic.Bool
}

// around gives the publisher a spool, whose requests wait for at most that long.
func (p *Publisher) around(s *spool.Spool, requestTimeout time.Duration) (err error) {
	p.detour.spool = s
	// Time must be left for the spool when Kafka has had its chance.
	p.detour.patience = min(outageAfter, requestTimeout/4)
	p.detour.attempt = min(outageAfter, requestTimeout/2)
	p.detour.margin = requestTimeout / 10
	p.detour.replay, err = newReplay(p, s)
	return err
}

// attemptUntil is when an attempt at a batch is given up.
func (p *Publisher) attemptUntil(s *sending) time.Time {
	if p.detour.spool == nil {
		return s.until(AttemptTimeout)
	}
	now := time.Now()
	if p.outage.away(now) {
		return s.until(outageWait)
	}
	// A batch that has waited long already must reach the spool before its first request gives up.
	first := s.chunks[0].deadline
	for _, c := range s.chunks[1:] {
		if c.deadline.Before(first) {
			first = c.deadline
		}
	}
	left := first.Sub(now) - p.detour.margin
	return s.until(min(p.detour.attempt, max(left, p.detour.margin)))
}

// detour hands a batch to the spool that Kafka does not take, and says whether it is there and with that done. Kafka has its
// chance first: for a while if nobody knows that it is away, and once if it is this batch's turn to find out whether it is
// back.
//
// When the spool does not take the batch either, its requests are answered 503: at once if Kafka is known to be away, else when
// their deadlines have passed.
func (l *lane) detour(s *sending) bool {
	p, now := l.pub, time.Now()
	d := &p.detour
	if d.spool == nil {
		return false
	}
	away := p.outage.away(now)
	if !s.tried && (!away || p.outage.tries(now)) {
		return false
	}
	if s.tried && !away && !d.draining.Load() && now.Sub(s.began) < d.patience && !s.hurried(now.Add(d.margin)) {
		return false
	}
	if l.dropTooLarge(s); len(s.chunks) == 0 {
		return true
	}
	err := d.spool.Append(s.entry())
	if err != nil && !away {
		return false
	}
	if s.pinned { // as if it had been given up; it may be on the topic twice in the end
		l.identity.abandon()
	}
	s.finish(p, err)
	return true
}

// dropTooLarge ends the requests of single events that fit in no batch of the topic, as far as its settings are known: the spool
// could never give them to Kafka. Only a batch that nobody has sent yet may be changed.
func (l *lane) dropTooLarge(s *sending) {
	limit := l.pub.memory.batch.limit()
	if limit == 0 || s.pinned {
		return
	}
	s.chunks = slices.DeleteFunc(s.chunks, func(c *chunk) bool {
		if c.count > 1 || c.size()+recordbatch.HeaderSize <= limit {
			return false
		}
		size := l.encode([]*chunk{c})
		s.encoded = false
		if size <= limit {
			return false
		}
		c.finish(l.pub, broker.ErrTooLarge)
		return true
	})
}

// hurried says whether a request of the batch gives up before then.
func (s *sending) hurried(then time.Time) bool {
	for _, c := range s.chunks {
		if c.deadline.Before(then) {
			return true
		}
	}
	return false
}

// entry is the batch as it waits in the spool. What is left of it is whole requests' records.
func (s *sending) entry() spool.Entry {
	e := spool.Entry{Partition: s.chunks[0].partition}
	size := 0
	for _, c := range s.chunks {
		size += len(c.records)
	}
	e.Records = make([]byte, 0, size)
	for _, c := range s.chunks {
		e.Records = append(e.Records, c.records...)
		e.Count += c.count
	}
	return e
}
