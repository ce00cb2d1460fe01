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

	"sluice/consumer/alive"
	"sluice/consumer/blocking"
	"sluice/consumer/budget"
	"sluice/consumer/clickhouse"
	"sluice/consumer/counts"
	"sluice/consumer/erased"
	"sluice/consumer/kafka"
	"sluice/consumer/observed"
	"sluice/consumer/shared"
	"sluice/consumer/step"
	"sluice/internal/backoff"
	"sluice/internal/causes"
	"sluice/internal/kafkaconn"
	"sluice/internal/tracing"
)

// Deps are the parts that a Consumer does not make itself.
type Deps struct {
	// Kafka says how Kafka is reached.
	Kafka kafkaconn.Config
	// Metrics gets all metrics of the consumer.
	Metrics prometheus.Registerer
	Log     *slog.Logger
	// Trace says what is traced. Its zero value traces nothing.
	Trace tracing.Config
	// Version is the program's, for traces.
	Version string
	// DrainTimeout is how long Run may take to return after its context ended.
	DrainTimeout time.Duration
}

// Consumer is one member of the consumer group.
type Consumer struct {
	cfg     Config
	deps    Deps
	timing  timing
	log     *slog.Logger
	metrics *metrics
	tracer  *tracing.Tracer // nil: nothing is traced
	kafka   *kafka.Client
	table   closingTable
	budget  *budget.Budget
	size    budget.Size
	// accepted counts the blocks that ClickHouse took. If a row is refused alone while others are accepted, the row is
	// at fault.
	accepted atomic.Uint64
	// joining is whether the group cannot be joined.
	joining *observed.Outage
	outages outages
	idle    bool // the group has no partition for this member, and the log says so

	mu       sync.Mutex
	owned    map[int]*partition
	joined   atomic.Bool
	waiting  atomic.Pointer[string] // the last error of joining the group
	draining atomic.Bool
}

// timing is how often a consumer does what it does by itself.
type timing struct {
	kafka kafka.Timing
	// lag is how often the leaders of partitions that are not being fetched, because ClickHouse, the group or the
	// leader is away, are asked where the partitions end.
	lag        time.Duration
	unrecorded time.Duration // see unrecordedAge
}

func defaultTiming() timing {
	return timing{kafka: kafka.DefaultTiming(), lag: 5 * time.Second, unrecorded: unrecordedAge}
}

// New checks the settings and makes a Consumer. It opens no connection and starts no goroutine.
func New(cfg Config, deps Deps) (*Consumer, error) { return newConsumer(cfg, deps, defaultTiming()) }

func newConsumer(cfg Config, deps Deps, timing timing) (*Consumer, error) {
	if err := errors.Join(cfg.Check(), deps.Kafka.Check()); err != nil {
		return nil, err
	}
	client, err := kafka.New(deps.Kafka, cfg.Group, timing.kafka, deps.Log)
	if err != nil {
		return nil, err
	}
	c := &Consumer{cfg: cfg, deps: deps, timing: timing, log: deps.Log, kafka: client, owned: map[int]*partition{}}
	table, erasures := erased.Around(clickhouse.New(cfg.Store.ClickHouse, deps.Log), deps.Log)
	c.table, c.budget = table, budget.New(cfg.BufferBytes)
	var collectors []prometheus.Collector
	c.metrics, collectors = newMetrics()
	for _, m := range append(collectors, erasures, commits(client)) {
		if err := deps.Metrics.Register(m); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	if c.tracer, err = tracing.New(deps.Trace, tracing.Deps{
		Service: "sluice-consumer", Version: deps.Version, Metrics: deps.Metrics, Log: deps.Log, Drain: deps.DrainTimeout,
	}); err != nil {
		return nil, err
	}
	c.metrics.begin(step.New(cfg.steps()))
	c.outages = outages{kafka: observed.NewLog(deps.Log), clickhouse: blocking.NewOutage(deps.Log)}
	c.joining = observed.NewOutage(c.metrics.blocked.WithLabelValues(blocking.Kafka))
	return c, nil
}

// Run works until ctx ends, and then drains: fetching stops, inserts under way finish, offsets and recorded ranges are
// committed, and the consumer leaves the group, so that the other consumers take over. The next owner inserts what was
// not inserted. If there are other consumers, draining begins after the next heartbeat, see
// Membership.UntilAfterHeartbeat. Run returns an error if draining takes longer than Deps.DrainTimeout.
//
//	group ─▶ generation ─┬▶ partition 0: fetch ─▶ seal ─▶ record ─▶ insert ─▶ advance
//	                     ├▶ partition 3: …
//	                     └▶ …
func (c *Consumer) Run(ctx context.Context) error { return c.tracer.Around(ctx, c.run) }

func (c *Consumer) run(ctx context.Context) error {
	defer c.kafka.Close()
	defer c.table.Close()
	group := c.kafka.Join()
	var background sync.WaitGroup
	defer background.Wait()
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	defer unwatch()
	background.Go(func() { observed.WatchLag(watched, c.kafka, c.metrics.lags, c.timing.lag) })
	c.log.Info("consumer starts", "group", c.cfg.Group, "topic", c.deps.Kafka.Topic)
	c.generations(ctx, group)

	c.draining.Store(true)
	c.log.Info("consumer drains", "timeout", c.deps.DrainTimeout)
	timeout := time.NewTimer(c.deps.DrainTimeout)
	defer timeout.Stop()
	// Work goes on in this time.
	if wait := group.UntilAfterHeartbeat(time.Now()); c.deps.DrainTimeout-wait > 2*drainBudget {
		<-time.After(wait)
	}
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

// generations takes part in one generation of the group after the other, until ctx ends.
func (c *Consumer) generations(ctx context.Context, group *kafka.Membership) {
	var logged causes.Log
	for {
		gen, err := group.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		c.joining.Set(err != nil)
		if err != nil {
			c.metrics.assigned.Set(0)
			if logged.Note(causes.Of(0, err)) {
				c.log.Warn("cannot join the consumer group, retrying", "group", c.cfg.Group, "err", err)
				why := err.Error()
				c.waiting.Store(&why)
			}
			continue
		}
		logged = causes.Log{}
		c.metrics.rebalances.Inc()
		c.joined.Store(true)
		c.start(ctx, gen)
	}
}

// start runs the partitions of a generation.
func (c *Consumer) start(ctx context.Context, gen *kafka.Generation) {
	partitions, err := c.kafka.Partitions(ctx)
	if err != nil {
		partitions = len(gen.Partitions) // all that is known
	}
	slices.Sort(gen.Partitions)
	pace := shared.Pace{FlushAge: c.cfg.FlushAge, InsertsPerSecond: c.cfg.InsertsPerSecond,
		MostPartitions: c.cfg.BlockPartitions}
	layout := pace.Layout(gen.Partitions, partitions, gen.SharesBlocks && c.cfg.sharesBlocks())
	c.metrics.lags.Keep(c.deps.Kafka.Topic, gen.Partitions)
	c.metrics.assigned.Set(float64(len(gen.Partitions)))
	c.metrics.partitions.Set(float64(partitions))
	c.warnIfIdle(gen, partitions)
	c.log.Info("partitions assigned", "generation", gen.Member.Generation, "partitions", gen.Partitions,
		"flush_age", layout.FlushAge, "units", len(layout.Units))
	blocks := shared.NewBlocks(c.table, len(gen.Partitions), func(bytes int64) { c.size.TooLarge(bytes) })
	limits := shared.Limits{Rows: c.cfg.BatchRows, Bytes: func() int { return c.size.Limit(c.cfg.BatchBytes) }}
	sharing := len(layout.Units) < len(gen.Partitions)
	commits, fetches := c.kafka.CommitTogether(sharing), c.kafka.FetchTogether()
	atATime := max(2, runtime.GOMAXPROCS(0))
	if sharing { // they have little each, and mostly wait for the broker
		atATime *= 2
	}
	turns := budget.NewTurns(atATime)
	var all []*partition
	for n, ids := range layout.Units { // all have joined budget and unit before the first one takes of it
		unit := blocks.NewUnit(limits)
		for _, id := range ids {
			p := c.newPartition(gen.Member, id, layout.FlushAge, layout.Phase(ids[0]))
			p.offsets, p.blocks, p.turn = commits, blocks, turns.Turn(n)
			if sharing {
				p.kafka = fetches
			}
			if len(ids) > 1 {
				p.seat = unit.Seat(id)
			}
			all = append(all, p)
		}
	}
	for _, p := range all {
		gen.Run(func(ctx context.Context) {
			defer p.claim.Leave()
			c.own(p)
			defer c.disown(p)
			p.run(ctx)
		})
	}
}

func (c *Consumer) newPartition(m kafka.Member, id int, age, phase time.Duration) *partition {
	return &partition{
		id: id, topic: c.deps.Kafka.Topic, member: m, cfg: c.cfg, flushAge: age, phase: phase,
		kafka: c.kafka, deadLetters: c.kafka, table: c.table,
		outcomes:     counts.Writer{Table: c.table, Lost: c.metrics.lostCounts, Log: c.log},
		tokenDurable: c.cfg.Store.ClickHouse.Cluster != "",
		shares: shares{claim: c.budget.Join(), size: &c.size, accepted: &c.accepted, tracer: c.tracer,
			outages: c.outages},
		metrics: c.metrics, log: c.log.With("partition", id),
		patience: patience{maxPause: backoff.Max, drain: drainBudget, unrecorded: c.timing.unrecorded},
	}
}

// warnIfIdle warns, once, if the group has no partition for this member although the topic has some.
func (c *Consumer) warnIfIdle(gen *kafka.Generation, partitions int) {
	idle := len(gen.Partitions) == 0 && partitions > 0
	if idle && !c.idle {
		c.log.Warn("this consumer has no partitions and does nothing: the group's other consumers have them all",
			"group", c.cfg.Group, "topic_partitions", partitions,
			"hint",
			"run at most as many consumers as the topic has partitions, or add partitions with `sluice topics apply`")
	}
	c.idle = idle
}

func (c *Consumer) own(p *partition) {
	p.watch.Beat(alive.Fetch)
	p.watch.Progress()
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

// Ready returns an error before this member has joined the group, and while it drains. ClickHouse may be away.
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

// Live returns an error if a partition's goroutine is stuck, or a partition with lag makes no progress. Waiting for
// Kafka, ClickHouse or the dead-letter topic counts as progress.
func (c *Consumer) Live() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, p := range c.owned {
		if err := p.watch.Fault(p.progress.readable()); err != nil {
			return fmt.Errorf("partition %d: %w", id, err)
		}
	}
	return nil
}
