package publish

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sluice/gateway/broker"
	"sluice/internal/recordbatch"
)

const (
	// lanes is how many produce requests with records without a key are under way at once. Each lane sends one batch at
	// a time, so that batches grow with the load. A lane owns every lanes-th partition. The number may change between
	// two runs, because producer ids do not outlive a run.
	lanes = 4
	// A batch of records with keys is for one partition. So a lane with many partitions would come to each of them
	// seldom, and records would wait the longer the more partitions there are. Each laneBlock partitions have lanes of
	// their own, up to keyLanes lanes in all: at most twelve partitions share one as long as there are at most 384.
	laneBlock = 48
	keyLanes  = 8 * lanes
)

// Publisher gathers the records of concurrent requests into few produce requests.
//
//	request ─┐             ┌─▶ lane: one batch under way ─▶ its partitions ─▶ every request of the batch is answered
//	request ─┼─▶ one queue ┼─▶ lane
//	request ─┘             └─▶ lane ◀─ a queue of its own for records with a key
//
// A free lane takes all that has queued up, and a lone event leaves at once. Under load records without a key gather
// first, for up to a millisecond. They wait in one queue for all lanes, so that a lane that is stuck with its batch
// does not hold them up.
//
// It is written by hand because kafka-go's Writer sends no producer ids and always waits for more records.
// BenchmarkEdge compares the two.
type Publisher struct {
	producer broker.Producer
	cfg      Config
	log      *slog.Logger
	start    time.Time // when it was made

	pool       requestPool
	flow       flow
	congestion congestion
	shared     *queue          // records without a key, which the first lanes take
	lanes      [keyLanes]*lane // by index; a stuck lane has successors
	team       team

	partitions atomic.Int64
	topic      atomic.Pointer[broker.TopicSettings] // nil: not known
	leaders    *leaders
	outage     outage
	failures   failures
	withoutID  atomic.Bool // Kafka gives no producer ids, and that has been logged
	fallback   fallback
}

// New makes a publisher. It asks Kafka nothing before Run. It returns an error if the codec is unknown.
func New(producer broker.Producer, cfg Config) (*Publisher, error) {
	cfg.fill()
	p := &Publisher{
		producer: producer, cfg: cfg, log: cfg.Log, shared: newQueue(), leaders: newLeaders(), start: time.Now(),
		congestion: congestion{most: min(cfg.MaxQueueWait, cfg.RequestTimeout/2), start: time.Now()},
	}
	p.shared.batch = &p.pool.batch
	p.shared.gather()
	for i := range p.lanes {
		own := newQueue()
		own.batch, own.held = &p.pool.batch, p.leaders.holds
		p.lanes[i] = p.newLane(i, lanes, own)
	}
	if _, err := recordbatch.NewEncoder(cfg.Compression); err != nil {
		return nil, err
	}
	if cfg.Spool != nil {
		p.withSpool(cfg.Spool, cfg.RequestTimeout)
	}
	return p, nil
}

// NewRequest returns an empty request. The caller must Release it.
func (p *Publisher) NewRequest() *Request { return p.pool.request() }

// Inflight returns how many bytes of records wait for Kafka's acknowledgement.
func (p *Publisher) Inflight() int64 { return p.flow.inflight.Load() }

// Partitions returns how many partitions the topic has; 0: not known yet.
func (p *Publisher) Partitions() int { return int(p.partitions.Load()) }

// Topic returns the topic's settings as last read; the zero value: not known.
func (p *Publisher) Topic() broker.TopicSettings {
	if t := p.topic.Load(); t != nil {
		return *t
	}
	return broker.TopicSettings{}
}

// Away reports whether Kafka is known to be away, and why the last attempt failed, one of broker.Reasons.
func (p *Publisher) Away() (reason string, away bool) {
	return p.outage.reason(), p.outage.away(time.Now())
}

// Drain makes every batch that Kafka does not take at once go to the spool, from now on.
func (p *Publisher) Drain() { p.fallback.draining.Store(true) }

// Queued calls each for the records that no lane has taken yet, a run at a time. The runs are the publisher's own
// memory: tests read them, while no lane can take them, to see that no other request has overwritten them.
func (p *Publisher) Queued(each func(run []byte)) {
	queues := []*queue{p.shared}
	for _, l := range p.lanes {
		queues = append(queues, l.own)
	}
	for _, q := range queues {
		q.mu.Lock()
		for _, c := range q.chunks {
			each(c.records)
		}
		q.mu.Unlock()
	}
}

// Stalled returns an error if a lane has worked on one batch for longer than most. A batch is given up with the last of
// its requests. So a lane that takes much longer than a request may wait hangs in this process, in a disk or in a lock;
// waiting for Kafka is no stall.
func (p *Publisher) Stalled(most time.Duration) error {
	now := time.Now()
	var fault error
	p.eachLane(func(l *lane) {
		if working := l.workingFor(now); working > most {
			fault = fmt.Errorf("lane %d has worked on one batch for %s", l.index, working.Round(time.Second))
		}
	})
	return fault
}

// Publish hands a request's records to Kafka, and returns when each has an outcome, or at the deadline. A record that
// was not sent by the deadline is not sent afterwards.
//
// While Kafka is known to be away and there is no spool, Publish returns at once. One request a second is tried all the
// same, to find out whether Kafka is back.
func (p *Publisher) Publish(r *Request, deadline time.Time) {
	now := time.Now()
	if p.fallback.spool == nil && p.outage.away(now) {
		if !p.outage.mayTry(now) {
			r.fail(ErrAway)
			return
		}
		deadline = p.outage.shorten(deadline, now)
	}
	p.publish(r, deadline, now)
}

// PublishPatiently is Publish for clients that drop what is refused: while Kafka is away, it waits until the deadline
// for Kafka to come back. What waits counts against MaxInflightBytes.
func (p *Publisher) PublishPatiently(r *Request, deadline time.Time) {
	p.publish(r, deadline, time.Now())
}

func (p *Publisher) publish(r *Request, deadline, now time.Time) {
	for _, c := range r.chunks {
		p.queue(c, deadline)
	}
	timer := r.startTimer(deadline.Sub(now))
	defer timer.Stop()
	for _, c := range r.chunks {
		if c.answered {
			continue
		}
		select {
		case <-c.done:
			c.answered = true
		case <-timer.C:
			return
		}
	}
}

// queue hands one chunk to the lanes, unless too many bytes wait already.
func (p *Publisher) queue(c *chunk, deadline time.Time) {
	c.deadline = deadline
	size := int64(c.size())
	if p.flow.inflight.Add(size) > p.cfg.MaxInflightBytes {
		p.flow.inflight.Add(-size)
		c.err, c.answered = ErrOverloaded, true
		p.cfg.Metrics.Overloads.Inc()
		return
	}
	c.holders.Add(1)
	p.queueOf(c.partition).push(c)
}

// Congested reports whether a new request would wait for longer than Config.MaxQueueWait. It is cheap enough to be
// asked for every request. It is false while the spool takes what Kafka does not take: the spool has bounds of its own.
func (p *Publisher) Congested() bool {
	c := &p.congestion
	if c.most == 0 || p.fallback.spool != nil && p.outage.failing() {
		return false
	}
	now := time.Now()
	at, last := now.Sub(c.start).Nanoseconds(), c.estimated.Load()
	if at-last < int64(estimateAge) || !c.estimated.CompareAndSwap(last, at) {
		return c.tooLong.Load()
	}
	tooLong := c.exceeds(p.flow.inflight.Load(), paceMark{now, p.flow.acked.Load()}) && !p.someLaneIdle()
	c.tooLong.Store(tooLong)
	return tooLong
}

// someLaneIdle reports whether records have keys and the queue of some lane is empty. One stuck partition must not turn
// all requests away, and a request's partition is not known before it is read.
func (p *Publisher) someLaneIdle() bool {
	idle, keyed := false, false
	for _, l := range p.lanes {
		if l.hasPartition() {
			empty := l.own.empty()
			idle, keyed = idle || empty, keyed || !empty
		}
	}
	return keyed && idle
}

// PartitionOf returns the partition of a key, the same in all gateways as long as the topic has as many partitions. It
// returns −1 for no key, and while the partitions are not known.
func (p *Publisher) PartitionOf(key []byte) int {
	n := p.partitions.Load()
	if key == nil || n == 0 {
		return -1
	}
	h := fnv.New32a()
	_, _ = h.Write(key)
	return int(int64(h.Sum32()) % n)
}

// laneOf returns the index of a partition's lane. It does not depend on the number of partitions, so that records with
// a key keep their lane when partitions are added.
func laneOf(partition int) int { return partition/laneBlock*lanes%keyLanes + partition%lanes }

// queueOf returns the queue for a partition. Each partition has one lane, so that its batches do not overtake each
// other.
func (p *Publisher) queueOf(partition int) *queue {
	if partition >= 0 {
		return p.lanes[laneOf(partition)].own
	}
	return p.shared
}

// Run sends until ctx ends and every queue is empty. Callers of Publish must have stopped by then. It may be called
// once.
func (p *Publisher) Run(ctx context.Context) {
	var all sync.WaitGroup
	p.team.mu.Lock()
	p.team.lanes = map[*lane]bool{}
	p.team.start = func(l *lane) { all.Go(func() { l.run(ctx) }) } // a running lane calls it, so all is not done yet
	p.team.mu.Unlock()
	for _, l := range p.lanes {
		all.Go(func() { l.run(ctx) })
	}
	all.Go(func() { p.watchLeaders(ctx) })
	all.Go(func() { p.watchTopic(ctx) })
	all.Go(func() { p.watchOutage(ctx) })
	if p.fallback.replay != nil {
		all.Go(func() { p.fallback.replay.run(ctx) })
	}
	all.Wait()
}
