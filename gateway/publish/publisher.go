package publish

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"sluice/gateway/broker"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// lanes is how many produce requests are under way at once. Each lane sends one batch at a time, so that batches grow
	// with the load by themselves. A lane owns every lanes-th partition; a change of this number is harmless between two
	// runs, because producer ids do not outlive a run.
	lanes = 4
	// maxBatchBytes and maxBatchRecords bound a produce request; the topic takes 2 MiB.
	maxBatchBytes   = 1900 << 10
	maxBatchRecords = 20_000
	// AttemptTimeout bounds one produce request, so that a dead broker is noticed well within a request's deadline.
	AttemptTimeout = 5 * time.Second
	partitionsAge  = 10 * time.Second
)

var (
	ErrOverloaded = errors.New("too many bytes wait for kafka")
	ErrAway       = errors.New("kafka is away")
	ErrDeadline   = errors.New("kafka did not acknowledge in time")
)

// Publisher gathers the records of concurrent requests into few produce requests.
//
//	request ─┐             ┌─▶ lane: one batch under way ─▶ its partitions ─▶ every request of the batch is answered
//	request ─┼─▶ one queue ┼─▶ lane
//	request ─┘             └─▶ lane ◀─ a queue of its own for records with a key
//
// A free lane takes all that has queued up; a lone event leaves at once. Records without a key wait in one queue for all
// lanes, so that a lane that is stuck with its batch holds nobody else up.
type Publisher struct {
	producer   broker.Producer
	cfg        Config
	log        *slog.Logger
	metrics    Metrics
	inflight   atomic.Int64
	partitions atomic.Int64
	outage     outage
	wait       queueWait
	withoutID  atomic.Bool // said, that there are no producer ids
	shared     *queue
	memory     parcelMemory
	start      time.Time    // when it was made
	lanes      [lanes]*lane // as they begin; one that is stuck is replaced
	team       team
	leaders    *leaders
	topic      atomic.Pointer[broker.TopicSettings] // nil: not known
	detour     detour
}

// New makes a publisher. It asks Kafka nothing before Run. The error is that of an unknown codec.
func New(producer broker.Producer, cfg Config) (*Publisher, error) {
	cfg.fill()
	p := &Publisher{
		producer: producer, cfg: cfg, log: cfg.Log, metrics: cfg.Metrics, shared: newQueue(), leaders: newLeaders(), start: time.Now(),
		wait: queueWait{most: min(cfg.MaxQueueWait, cfg.RequestTimeout/2), start: time.Now()},
	}
	p.shared.batch = &p.memory.batch
	for i := range p.lanes {
		own := newQueue()
		own.batch, own.held = &p.memory.batch, p.leaders.holds
		var err error
		if p.lanes[i], err = p.newLane(i, lanes, own); err != nil {
			return nil, err
		}
	}
	if cfg.Spool == nil {
		return p, nil
	}
	if err := p.around(cfg.Spool, cfg.RequestTimeout); err != nil {
		return nil, err
	}
	return p, nil
}

// NewRequest makes an empty request.
func (p *Publisher) NewRequest() *Request { return p.memory.parcel() }

// Inflight returns how many bytes of records wait for Kafka's acknowledgement.
func (p *Publisher) Inflight() int64 { return p.inflight.Load() }

// Partitions returns how many partitions the topic has; 0: that is not known yet.
func (p *Publisher) Partitions() int { return int(p.partitions.Load()) }

// Topic returns the topic's settings as last read; the zero value: they are not known.
func (p *Publisher) Topic() broker.TopicSettings {
	if t := p.topic.Load(); t != nil {
		return *t
	}
	return broker.TopicSettings{}
}

// Away returns whether Kafka is known to be away, and why the last attempt failed, one of Reasons.
func (p *Publisher) Away() (reason string, away bool) {
	return p.outage.reason(), p.outage.away(time.Now())
}

// Drain ends the patience with Kafka: what it does not take at once goes to the spool from now on.
func (p *Publisher) Drain() { p.detour.draining.Store(true) }

// Queued calls each for the records that no lane has taken yet, a run at a time. It is for tests of what becomes of a request's
// memory: the runs are the publisher's own, and are read while no lane may take them.
func (p *Publisher) Queued(each func(run []byte)) {
	for _, q := range []*queue{p.shared, p.lanes[0].own, p.lanes[1].own, p.lanes[2].own, p.lanes[3].own} {
		q.mu.Lock()
		for _, c := range q.chunks {
			each(c.records)
		}
		q.mu.Unlock()
	}
}

// Stalled reports an error if a lane has worked on one batch for longer than most. A batch is given up with the last of its
// requests, so a lane that takes much longer than a request may wait hangs in this process: in a disk, or in a lock. Waiting for
// Kafka is not standing still.
func (p *Publisher) Stalled(most time.Duration) error {
	now := time.Now()
	var fault error
	p.each(func(l *lane) {
		if still := l.standsStill(now); still > most {
			fault = fmt.Errorf("lane %d has worked on one batch for %s", l.index, still.Round(time.Second))
		}
	})
	return fault
}

// Publish hands a request's records to Kafka. It returns at the deadline at the latest, and at once while Kafka is known to be
// away and there is no spool, but for a request a second, which finds out whether it is back; the parcel then knows the outcomes: nil is acknowledged, anything else is not known to be. A record that was not
// sent by then is not sent any more.
func (p *Publisher) Publish(records *Request, deadline time.Time) {
	now := time.Now()
	if p.detour.spool == nil && p.outage.away(now) { // with one there is an answer soon, and it is worth waiting for
		if !p.outage.tries(now) {
			records.fail(ErrAway)
			return
		}
		deadline = p.outage.shorten(deadline, now)
	}
	for _, c := range records.chunks {
		p.queue(c, deadline)
	}
	timer := records.alarm(deadline.Sub(now))
	defer timer.Stop()
	for _, c := range records.chunks {
		if c.settled {
			continue
		}
		select {
		case <-c.done:
			c.settled = true
		case <-timer.C:
			return
		}
	}
}

// queue hands one chunk to the lanes, unless too much waits for them already.
func (p *Publisher) queue(c *chunk, deadline time.Time) {
	c.deadline = deadline
	size := int64(c.size())
	if p.inflight.Add(size) > p.cfg.MaxInflightBytes {
		p.inflight.Add(-size)
		c.err, c.settled = ErrOverloaded, true
		p.metrics.Overloads.Inc()
		return
	}
	c.holders.Add(1)
	p.queueOf(c.partition).push(c)
}

// PartitionOf maps a key to a partition, the same for all gateways as long as the number of partitions stays.
func (p *Publisher) PartitionOf(key []byte) int {
	n := p.partitions.Load()
	if key == nil || n == 0 {
		return -1
	}
	h := fnv.New32a()
	_, _ = h.Write(key)
	return int(int64(h.Sum32()) % n)
}

// queueOf is where records for a partition wait. Each partition has one lane, so that its batches do not overtake each other.
func (p *Publisher) queueOf(partition int) *queue {
	if partition >= 0 {
		return p.lanes[partition%lanes].own
	}
	return p.shared
}

// Run sends until ctx ends and every queue is empty. Requests must have stopped coming by then.
func (p *Publisher) Run(ctx context.Context) {
	var all sync.WaitGroup
	p.team.mu.Lock()
	p.team.lanes = map[*lane]bool{}
	p.team.start = func(l *lane) { all.Go(func() { l.run(ctx) }) } // by a lane that runs: all is not done yet
	p.team.mu.Unlock()
	for _, l := range p.lanes {
		all.Go(func() { l.run(ctx) })
	}
	all.Go(func() { p.watchLeaders(ctx) })
	all.Go(func() { p.watchPartitions(ctx) })
	all.Go(func() { p.watchOutage(ctx) })
	if p.detour.replay != nil {
		all.Go(func() { p.detour.replay.run(ctx) })
	}
	all.Wait()
}

// watchPartitions learns how many partitions the topic has; until it knows, nothing can be sent.
func (p *Publisher) watchPartitions(ctx context.Context) {
	wait := time.Duration(0)
	said := false
	var topic knownTopic
	for pause(ctx, wait) {
		n, err := p.producer.Partitions(ctx)
		if err == nil && n > 0 {
			if p.partitions.Swap(int64(n)) != int64(n) {
				p.log.Info("topic found", "partitions", n)
				for _, l := range p.lanes {
					l.own.poke() // one that had no partition may have one now
				}
			}
			p.describe(ctx, &topic)
			if c, ok := p.producer.(broker.Cluster); ok {
				if of, err := c.Replicas(ctx); err == nil {
					p.leaders.learn(of, time.Now())
				}
			}
			wait, said = partitionsAge, false
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if !said {
			p.log.Warn("kafka cannot be asked for the topic, retrying", "err", err)
			said = true
		}
		p.metrics.Errors.WithLabelValues(broker.ReasonMetadata).Inc()
		wait = 500 * time.Millisecond
	}
}

// pause waits and says whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
