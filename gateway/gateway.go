package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"sluice/gateway/projects"
	"sluice/internal/kafkaconn"
)

// Deps are the parts a Gateway does not make itself.
type Deps struct {
	Kafka   kafkaconn.Config
	Metrics prometheus.Registerer
	Log     *slog.Logger
	// Drain: how long to go on serving after the context ends, and how long work in flight may then take.
	DrainDelay, DrainTimeout time.Duration

	// The following are for tests and for sluice dev; their zero values are the real thing.

	// Projects replaces the projects file.
	Projects *projects.Set
	// Producer replaces Kafka.
	Producer Producer
	// Now replaces the clock that limits and received-at go by.
	Now func() time.Time
	// parkAfter, if set, is how long a connection is idle before it parks.
	parkAfter time.Duration
	// Uptime replaces the clock that the spool's ages go by, which no change of the time of day moves.
	Uptime func() time.Duration
	// storeWait, if set, is how long requests and exchanges wait for the limit store.
	storeWait time.Duration
}

// Gateway is the edge. New makes one, Run serves.
type Gateway struct {
	cfg       Config
	deps      Deps
	log       *slog.Logger
	now       func() time.Time
	metrics   *metrics
	publisher *publisher
	producer  *kafkaProducer // nil when a test gave its own
	spool     *spool         // nil without a directory
	projects  atomic.Pointer[projectSet]
	file      *projects.File // nil when Deps gave the projects
	limiters  *limiters
	store     *limitStore // nil: each gateway limits by itself
	app       *fiber.App
	parking   *parking
	started   atomic.Bool
	draining  atomic.Bool

	eventLimit, bulkLimit bodyLimit
	bodies                budget
	load                  load
	failedKeys            *failedKeys // nil: no limit
	refusals              *refusals
	debug                 bool // every request is logged
	proxies               proxies
}

// New checks the settings and reads the projects; it opens nothing and starts nothing.
func New(cfg Config, deps Deps) (*Gateway, error) {
	g := &Gateway{cfg: cfg, deps: deps, log: deps.Log, now: deps.Now}
	if g.now == nil {
		g.now = time.Now
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	g.refusals, g.debug = newRefusals(g.log), g.log.Enabled(context.Background(), slog.LevelDebug)
	if cfg.sharesLimits() {
		g.store = newLimitStore(cfg, g.log, g.now)
		if deps.storeWait > 0 {
			g.store.patience, g.store.budget = deps.storeWait, deps.storeWait
		}
	}
	if err := g.loadProjects(); err != nil {
		return nil, err
	}
	slots, err := newZstdSlots(max(cfg.MaxEventBytes, cfg.MaxBulkBytes))
	if err != nil {
		return nil, err
	}
	g.eventLimit = bodyLimit{bytes: cfg.MaxEventBytes, name: limitEventBytes, zstd: slots, budget: &g.bodies}
	g.bulkLimit = bodyLimit{bytes: cfg.MaxBulkBytes, name: limitBulkBytes, zstd: slots, budget: &g.bodies}
	producer := deps.Producer
	if producer == nil {
		if err := deps.Kafka.Check(); err != nil {
			return nil, err
		}
		if g.producer, err = newKafkaProducer(deps.Kafka); err != nil {
			return nil, err
		}
		producer = g.producer
	}
	var collectors []prometheus.Collector
	g.metrics, collectors = newMetrics(func() float64 { return float64(g.publisher.inflight.Load()) })
	g.publisher = newPublisher(producer, cfg.MaxInflightBytes, g.metrics, g.log)
	g.publisher.largest = cfg.MaxEventBytes
	if cfg.SpoolDir != "" {
		g.spool = newSpool(cfg.SpoolDir, cfg.SpoolMaxBytes, cfg.SpoolMaxAge, g.metrics, g.log, g.now)
		if deps.Uptime != nil {
			g.spool.uptime = deps.Uptime
		}
		g.publisher.around(g.spool, cfg.RequestTimeout)
	}
	if err := g.publisher.compress(cfg.KafkaCompression); err != nil {
		return nil, err
	}
	if g.store != nil {
		collectors = append(collectors, g.store.metrics.collectors...)
	}
	g.publisher.wait = queueWait{most: min(cfg.MaxQueueWait, cfg.RequestTimeout/2), start: time.Now()}
	g.defend()
	for _, c := range slices.Concat(collectors, loadGauges(g), projectsGauges(g), spoolGauges(g.spooled)) {
		if err := deps.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	g.app = g.routes()
	g.parking = newParking(g.app.Server(), cmp.Or(deps.parkAfter, parkAfter))
	return g, nil
}

// defend sets up what keeps the gateway itself from harm.
func (g *Gateway) defend() {
	g.proxies, _ = parseProxies(g.cfg.TrustedProxies) // checked with the settings
	if n := g.cfg.FailedKeysPerMinute; n > 0 {
		g.failedKeys = newFailedKeys(n, g.now())
	}
	g.bodies.most, g.bodies.metrics = g.cfg.MaxBodyBytes, g.metrics
	g.load.most, g.load.wait, g.load.metrics = int64(g.cfg.MaxInflightRequests), g.publisher.congested, g.metrics
}

// spooled is what waits in the spool, if there is one.
func (g *Gateway) spooled() figures {
	if g.spool == nil {
		return figures{}
	}
	return g.spool.figures()
}

// Listen opens the public port, so that an occupied one is known before anything else starts.
func (g *Gateway) Listen() (net.Listener, error) {
	l, err := net.Listen("tcp", g.cfg.HTTPAddr)
	if err != nil {
		return nil, fmt.Errorf("--http-addr %s: %w", g.cfg.HTTPAddr, err)
	}
	return l, nil
}

// Run serves on l until ctx ends, then drains: it goes on serving for the drain delay while health checks fail, stops
// accepting, lets the requests in flight finish, flushes the publisher, and returns nil. What did not finish within the drain
// timeout was never answered 202.
//
//	l ─▶ Fiber ─▶ handlers ─▶ publisher ─▶ Kafka
//	                 ▲
//	projects file ───┤ watched
//	limit store ─────┘ if the limits are shared
func (g *Gateway) Run(ctx context.Context, l net.Listener) error {
	defer func() {
		if g.producer != nil {
			g.producer.Close()
		}
	}()
	stopSpool, err := g.openSpool()
	if err != nil {
		return err
	}
	// The publisher and the limit store outlive the server: requests in flight wait for them.
	publish, stopPublisher := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPublisher()
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()

	var group errgroup.Group
	group.Go(func() error {
		g.publisher.Run(publish)
		return nil
	})
	group.Go(func() error {
		g.refusals.run(publish)
		return nil
	})
	group.Go(func() error {
		if g.file != nil {
			g.file.Run(serving, g.useProjects)
		}
		return nil
	})
	group.Go(func() error {
		if g.store != nil {
			g.store.Run(publish)
		}
		return nil
	})
	served := make(chan error, 1)
	l = g.bounded(l)
	group.Go(func() error {
		served <- g.app.Listener(l)
		return nil
	})
	g.started.Store(true)
	g.log.Info("gateway serves", "addr", l.Addr().String())

	var failure error
	select {
	case err := <-served:
		failure = fmt.Errorf("public port: %w", err)
	case <-ctx.Done():
		failure = g.drain()
	}
	stopPublisher()
	stopServing()
	return errors.Join(failure, group.Wait(), stopSpool())
}

// openSpool opens the spool, if there is one, and lets it run until it is stopped. Nobody may append to it then.
func (g *Gateway) openSpool() (stop func() error, err error) {
	if g.spool == nil {
		return func() error { return nil }, nil
	}
	if err := g.spool.open(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { g.spool.run(ctx) })
	return func() error {
		cancel()
		running.Wait()
		return g.spool.close()
	}, nil
}

// drain is Run's last part.
func (g *Gateway) drain() error {
	g.draining.Store(true)
	g.publisher.detour.draining.Store(true)
	g.log.Info("gateway drains", "delay", g.deps.DrainDelay, "timeout", g.deps.DrainTimeout)
	sleep(context.Background(), g.deps.DrainDelay)
	if err := g.app.ShutdownWithTimeout(g.deps.DrainTimeout); err != nil {
		return fmt.Errorf("drain: requests were still in flight after %s: %w", g.deps.DrainTimeout, err)
	}
	g.log.Info("gateway stopped")
	return nil
}

// Ready says whether requests are welcome: not before Run, not while it drains. Kafka being away does not matter here:
// somebody must answer the clients 503 and Retry-After.
func (g *Gateway) Ready() error {
	switch {
	case g.draining.Load():
		return errors.New("draining")
	case !g.started.Load():
		return errors.New("starting")
	}
	return nil
}

// laneGrace is how much longer than a request may wait a lane may work on one batch. A batch is given up with the last of its
// requests, so a lane that takes longer hangs in this process: in a disk, or in a lock.
const laneGrace = time.Minute

// Live reports an error if a lane of the publisher stands still. Waiting for Kafka is not standing still.
func (g *Gateway) Live() error {
	now, most := time.Now(), g.cfg.RequestTimeout+laneGrace
	var fault error
	g.publisher.each(func(l *lane) {
		if still := l.standsStill(now); still > most {
			fault = fmt.Errorf("lane %d has worked on one batch for %s", l.index, still.Round(time.Second))
		}
	})
	return fault
}
