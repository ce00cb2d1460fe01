package gateway

import (
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

	"sluice/gateway/body"
	"sluice/gateway/broker"
	"sluice/gateway/conn"
	"sluice/gateway/kafka"
	"sluice/gateway/projects"
	"sluice/gateway/publish"
	"sluice/gateway/ratelimit"
	"sluice/gateway/spool"
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
	Producer broker.Producer
	// Now replaces the clock that limits and received-at go by.
	Now func() time.Time
	// parkAfter, if set, is how long a connection is idle before it parks.
	parkAfter time.Duration
	// Uptime replaces the clock that the spool's ages go by, which no change of the time of day moves.
	Uptime func() time.Duration
	// bodySilence, if set, is how long a client may send nothing in the middle of a body.
	bodySilence time.Duration
	// stuckAfter, if set, is how long a lane works on one batch before another takes over its work.
	stuckAfter time.Duration
	// refusedAgain, if set, is how often what Kafka refuses is tried again.
	refusedAgain time.Duration
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
	publisher *publish.Publisher
	producer  *kafka.Producer // nil when a test gave its own
	spool     *spool.Spool    // nil without a directory
	projects  atomic.Pointer[projectSet]
	file      *projects.File // nil when Deps gave the projects
	limiters  *limiters
	store     *ratelimit.Store // nil: each gateway limits by itself
	app       *fiber.App
	conns     *conn.Set
	started   atomic.Bool
	draining  atomic.Bool

	eventLimit, bulkLimit bodyLimit
	bodies                *body.Pool
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
	var collectors []prometheus.Collector
	if store := cfg.limitStore(); store.Enabled() {
		store.Wait, store.Timeout = deps.storeWait, deps.storeWait
		var metrics ratelimit.Metrics
		metrics, collectors = newStoreMetrics(func() *ratelimit.Store { return g.store })
		g.store = ratelimit.NewStore(store, metrics, g.log, g.now)
	}
	if err := g.loadProjects(); err != nil {
		return nil, err
	}
	if err := g.limitBodies(); err != nil {
		return nil, err
	}
	var err error
	producer := deps.Producer
	if producer == nil {
		if err := deps.Kafka.Check(); err != nil {
			return nil, err
		}
		if g.producer, err = kafka.New(kafka.Config{Conn: deps.Kafka, Timeout: publish.AttemptTimeout}); err != nil {
			return nil, err
		}
		producer = g.producer
	}
	var own []prometheus.Collector
	g.metrics, own = newMetrics(func() float64 { return float64(g.publisher.Inflight()) })
	if cfg.SpoolDir != "" {
		g.spool = spool.New(spool.Config{
			Dir: cfg.SpoolDir, MaxBytes: cfg.SpoolMaxBytes, MaxAge: cfg.SpoolMaxAge,
			Metrics: spool.Metrics{FsyncSeconds: g.metrics.spoolFsync, Errors: g.metrics.spoolErrors, Lost: g.metrics.spoolLost},
			Log:     g.log, Now: g.now, Uptime: deps.Uptime,
		})
	}
	if g.publisher, err = publish.New(producer, publish.Config{
		MaxInflightBytes: cfg.MaxInflightBytes, MaxEventBytes: cfg.MaxEventBytes, MaxQueueWait: cfg.MaxQueueWait,
		RequestTimeout: cfg.RequestTimeout, Compression: cfg.KafkaCompression, Spool: g.spool, StuckAfter: deps.stuckAfter, RetryRefused: deps.refusedAgain,
		Metrics: publish.Metrics{
			ProduceSeconds: g.metrics.publishDuration, Errors: g.metrics.publishErrors, Overloads: g.metrics.overloads.WithLabelValues(limitInflightBytes),
		},
		Log: g.log,
	}); err != nil {
		return nil, err
	}
	g.defend()
	for _, c := range slices.Concat(own, collectors, loadGauges(g), projectsGauges(g), spoolGauges(g.spooled)) {
		if err := deps.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	g.app = g.newApp()
	g.conns = conn.New(g.app.Server(), conn.Config{
		Max: cfg.MaxConnections, ParkAfter: deps.parkAfter, TurnedAway: func() { g.metrics.turnedAway(limitConnections) }, Log: g.log,
	})
	return g, nil
}

// defend sets up what keeps the gateway itself from harm.
func (g *Gateway) defend() {
	g.proxies, _ = parseProxies(g.cfg.TrustedProxies) // checked with the settings
	if n := g.cfg.FailedKeysPerMinute; n > 0 {
		g.failedKeys = newFailedKeys(n, g.now())
	}
	g.load.most, g.load.wait, g.load.metrics = int64(g.cfg.MaxInflightRequests), g.publisher.Congested, g.metrics
}

// spooled is what waits in the spool, if there is one.
func (g *Gateway) spooled() spool.Stats {
	if g.spool == nil {
		return spool.Stats{}
	}
	return g.spool.Stats()
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
	publishing, stopPublisher := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPublisher()
	serving, stopServing := context.WithCancel(ctx)
	defer stopServing()

	var group errgroup.Group
	group.Go(func() error {
		g.publisher.Run(publishing)
		return nil
	})
	group.Go(func() error {
		g.refusals.run(publishing)
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
			g.store.Run(publishing)
		}
		return nil
	})
	served := make(chan error, 1)
	l = g.conns.Bound(l)
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
	if err := g.spool.Open(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { g.spool.Run(ctx) })
	return func() error {
		cancel()
		running.Wait()
		return g.spool.Close()
	}, nil
}

// drain is Run's last part.
func (g *Gateway) drain() error {
	g.draining.Store(true)
	g.publisher.Drain()
	g.log.Info("gateway drains", "delay", g.deps.DrainDelay, "timeout", g.deps.DrainTimeout)
	time.Sleep(g.deps.DrainDelay)
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
func (g *Gateway) Live() error { return g.publisher.Stalled(g.cfg.RequestTimeout + laneGrace) }
