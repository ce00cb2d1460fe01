package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/consumer/clickhouse"
	kafkaroom "sluice/consumer/kafka"
	"sluice/consumer/step"
	"sluice/internal/kafkaconn"
)

// Deps are the parts a Consumer does not make itself.
type Deps struct {
	Kafka   kafkaconn.Config
	Metrics prometheus.Registerer
	Log     *slog.Logger
	// DrainTimeout is how long Run may take to return after its context ended.
	DrainTimeout time.Duration
}

// Consumer is one member of the consumer group. New makes one, Run works.
type Consumer struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	metrics *metrics
	kafka   *kafkaroom.Client
	table   closingTable
	budget  *budget
	turns   turns
	// accepted counts the blocks that ClickHouse took: evidence that it is a row's fault if that row alone is refused.
	accepted atomic.Uint64
	// membership is whether the group cannot be joined.
	membership outage
	idle       bool // the group has no partition for this member, which was said
	size       batchSize

	mu       sync.Mutex
	owned    map[int]*partition
	joined   atomic.Bool
	waiting  atomic.Pointer[string] // why it could not join the group last
	draining atomic.Bool
}

// New checks the settings; it opens nothing and starts nothing.
func New(cfg Config, deps Deps) (*Consumer, error) {
	if err := errors.Join(cfg.Check(), deps.Kafka.Check()); err != nil {
		return nil, err
	}
	kafka, err := kafkaroom.New(deps.Kafka, cfg.Group, deps.Log)
	if err != nil {
		return nil, err
	}
	c := &Consumer{cfg: cfg, deps: deps, log: deps.Log, kafka: kafka, owned: map[int]*partition{}}
	c.table, c.budget = clickhouse.New(cfg.Store.ClickHouse, deps.Log), newBudget(cfg.BufferBytes)
	c.turns = make(turns, max(2, runtime.GOMAXPROCS(0)))
	var collectors []prometheus.Collector
	c.metrics, collectors = newMetrics()
	for _, m := range collectors {
		if err := deps.Metrics.Register(m); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	c.metrics.begin(step.New(cfg.steps()))
	c.membership.blocked = c.metrics.blocked.WithLabelValues(blockedKafka)
	return c, nil
}

// Run works until ctx ends, then drains: fetching stops, inserts under way finish, offsets and recorded ranges are committed, and
// the group is left, so that the others take over. What was not inserted is inserted by its next owner. If there are others, all of
// this begins after the next heartbeat, see Membership.UntilAfterHeartbeat.
//
//	group ─▶ generation ─┬▶ partition 0: fetch ─▶ seal ─▶ record ─▶ insert ─▶ advance
//	                     ├▶ partition 3: …
//	                     └▶ …
func (c *Consumer) Run(ctx context.Context) error {
	defer c.kafka.Close()
	defer c.table.Close()
	group := c.kafka.Join()
	var background sync.WaitGroup
	defer background.Wait()
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	background.Go(func() { c.watchLag(watched) })
	c.log.Info("consumer starts", "group", c.cfg.Group, "topic", c.deps.Kafka.Topic)
	c.generations(ctx, group)

	c.draining.Store(true)
	c.log.Info("consumer drains", "timeout", c.deps.DrainTimeout)
	timeout := time.NewTimer(c.deps.DrainTimeout)
	defer timeout.Stop()
	if wait := group.UntilAfterHeartbeat(time.Now()); c.deps.DrainTimeout-wait > 2*drainBudget { // meanwhile everything goes on
		<-time.After(wait)
	}
	// leave ends the generation, waits for its partitions and leaves the group.
	left := make(chan struct{})
	go func() { defer close(left); group.Leave() }()
	select {
	case <-left:
		c.log.Info("consumer stopped")
		return nil
	case <-timeout.C:
		return fmt.Errorf("drain: not finished after %s; what is not committed is read again", c.deps.DrainTimeout)
	}
}

// generations works through one generation of the group after the other, until ctx ends.
func (c *Consumer) generations(ctx context.Context, group *kafkaroom.Membership) {
	said := ""
	for {
		gen, err := group.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		c.membership.set(err != nil)
		if err != nil {
			c.metrics.assigned.Set(0)
			if err.Error() != said {
				c.log.Warn("cannot join the consumer group, retrying", "group", c.cfg.Group, "err", err)
				why := err.Error()
				c.waiting.Store(&why)
				said = why
			}
			continue
		}
		said = ""
		c.metrics.rebalances.Inc()
		c.joined.Store(true)
		c.start(ctx, gen)
	}
}

// start sets a worker to each partition of the generation.
func (c *Consumer) start(ctx context.Context, gen *kafkaroom.Generation) {
	partitions, err := c.kafka.Partitions(ctx)
	if err != nil {
		partitions = len(gen.Partitions) // all that is known
	}
	age := c.cfg.flushAge(partitions)
	slices.Sort(gen.Partitions)
	c.metrics.lags.keep(c.deps.Kafka.Topic, gen.Partitions)
	c.metrics.assigned.Set(float64(len(gen.Partitions)))
	c.metrics.partitions.Set(float64(partitions))
	c.sayIdle(gen, partitions)
	c.log.Info("partitions assigned", "generation", gen.Member.Generation, "partitions", gen.Partitions, "flush_age", age)
	var all []*partition
	for _, id := range gen.Partitions { // all have joined the budget before the first one takes of it
		all = append(all, &partition{
			id: id, member: gen.Member, flushAge: age, phase: flushPhase(id, partitions, age), cfg: c.cfg, kafka: c.kafka, ledger: c.kafka, graves: c.kafka,
			table: c.table, sure: c.cfg.Store.ClickHouse.Cluster != "", claim: c.budget.join(), turn: turn{of: c.turns}, accepted: &c.accepted, size: &c.size, metrics: c.metrics, log: c.log, topic: c.deps.Kafka.Topic,
		})
	}
	for _, p := range all {
		gen.Run(func(ctx context.Context) {
			defer p.claim.leave()
			c.own(p)
			defer c.disown(p)
			p.run(ctx)
		})
	}
}

// sayIdle says, once, that the group has no partition for this member although the topic has some.
func (c *Consumer) sayIdle(gen *kafkaroom.Generation, partitions int) {
	idle := len(gen.Partitions) == 0 && partitions > 0
	if idle && !c.idle {
		c.log.Warn("this consumer has no partitions and does nothing: the group's other consumers have them all",
			"group", c.cfg.Group, "topic_partitions", partitions, "hint", "run at most as many consumers as the topic has partitions, or add partitions with `sluice topics apply`")
	}
	c.idle = idle
}

func (c *Consumer) own(p *partition) {
	p.watch.beat(loopFetch)
	p.watch.progress()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owned[p.id] = p
}

func (c *Consumer) disown(p *partition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owned[p.id] == p {
		delete(c.owned, p.id)
	}
}

// Ready says whether this member does its work: not before it joined the group, not while it drains. ClickHouse being away
// does not matter here.
func (c *Consumer) Ready() error {
	switch {
	case c.draining.Load():
		return errors.New("draining")
	case !c.joined.Load():
		if why := c.waiting.Load(); why != nil {
			return errors.New("starting: " + *why)
		}
		return errors.New("starting: not yet a member of the consumer group")
	}
	return nil
}

// Live says whether the loops of all partitions turn, and what there is gets through. Waiting for Kafka, ClickHouse or the dead-letter topic is turning.
func (c *Consumer) Live() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, p := range c.owned {
		if err := p.watch.fault(p.readable()); err != nil {
			return fmt.Errorf("partition %d: %w", id, err)
		}
	}
	return nil
}
