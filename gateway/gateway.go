package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"sluice/gateway/broker"
	"sluice/gateway/certificate"
	"sluice/gateway/ingest"
	"sluice/gateway/kafka"
	"sluice/gateway/outcomes"
	"sluice/gateway/projects"
	"sluice/gateway/publish"
	"sluice/gateway/ratelimit"
	"sluice/gateway/spool"
	"sluice/internal/kafkaconn"
	"sluice/internal/tracing"
)

// Deps are the parts that a Gateway does not make itself.
type Deps struct {
	Kafka   kafkaconn.Config
	Metrics prometheus.Registerer
	Log     *slog.Logger
	// Trace says what is traced. Its zero value traces nothing.
	Trace tracing.Config
	// Version is the program's, for traces.
	Version string
	// DrainDelay is how long Run goes on serving after its context ends.
	DrainDelay time.Duration
	// DrainTimeout is how long requests under way may take after that.
	DrainTimeout time.Duration

	// The fields below are for tests and for sluice dev. Their zero values are right for a gateway.

	// Projects replaces the projects file.
	Projects *projects.Set
	// Producer replaces Kafka.
	Producer broker.Producer
	// Now replaces the wall clock of the rate limits and of received-at.
	Now func() time.Time
	// streamPing is how often an idle WebSocket connection gets a ping.
	streamPing time.Duration
	// parkAfter is how long a connection is idle before it parks.
	parkAfter time.Duration
	// Uptime replaces the monotonic clock of the spool's ages.
	Uptime func() time.Duration
	// bodySilence is how long a client may send nothing in the middle of a body.
	bodySilence time.Duration
	// stuckAfter is how long a lane works on one batch before another lane takes over.
	stuckAfter time.Duration
	// refusedAgain is how long the spool waits before it offers Kafka a refused record again.
	refusedAgain time.Duration
	// countEvery is how often the counts of refused events are published.
	countEvery time.Duration
	// storeWait is how long requests and exchanges wait for the limit store.
	storeWait time.Duration
	// certificateEvery is how often the certificate's files are looked at.
	certificateEvery time.Duration
}

// Gateway is the edge. New makes one, Run serves. Its methods are safe for concurrent use.
type Gateway struct {
	cfg      Config
	deps     Deps
	log      *slog.Logger
	now      func() time.Time
	metrics  *metrics
	events   *ingest.Metrics
	started  atomic.Bool
	draining atomic.Bool

	projects ingest.Projects
	file     *projects.File // nil when Deps gave the projects
	limiters *ingest.Limiters
	store    *ratelimit.Store // nil: each gateway limits by itself

	publisher *publish.Publisher
	producer  *kafka.Producer // nil when a test gave its own
	spool     *spool.Spool    // nil without a directory

	outcomes *outcomes.Counter
	tracer   *tracing.Tracer // nil: nothing is traced
	ingester *ingest.Ingester
	server   *server

	certificate *certificate.Source // nil: the public port speaks plain HTTP
}

// New checks the settings and reads the projects. It opens nothing and starts nothing. The error joins every fault of
// the settings.
func New(cfg Config, deps Deps) (*Gateway, error) {
	g := &Gateway{cfg: cfg, deps: deps, log: deps.Log, now: deps.Now}
	if g.now == nil {
		g.now = time.Now
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	var err error
	if g.tracer, err = tracing.New(deps.Trace, tracing.Deps{
		Service: "sluice-gateway", Version: deps.Version, Metrics: deps.Metrics, Log: deps.Log,
		Drain: deps.DrainDelay + deps.DrainTimeout,
	}); err != nil {
		return nil, err
	}
	g.metrics, g.events = newMetrics(routeStatuses()), ingest.NewMetrics(protocolNames())
	expectIgnored(g.events)
	collectors := append(g.metrics.collectors(), g.events.Collectors()...)
	if store := cfg.limitStore(); store.Enabled() {
		store.Wait, store.Timeout = deps.storeWait, deps.storeWait
		metrics, more := newStoreMetrics(func() *ratelimit.Store { return g.store })
		g.store = ratelimit.NewStore(store, metrics, g.log, g.now)
		collectors = append(collectors, more...)
	}
	more, err := g.newCertificate()
	if err != nil {
		return nil, err
	}
	collectors = append(collectors, more...)
	if err := g.loadProjects(); err != nil {
		return nil, err
	}
	if err := g.newPublisher(); err != nil {
		return nil, err
	}
	if err := g.newIngester(); err != nil {
		return nil, err
	}
	g.server = newServer(serverConfig{
		maxHeaderBytes: cfg.MaxHeaderBytes, maxConnections: cfg.MaxConnections,
		idleTimeout: cfg.HTTPIdleTimeout, parkAfter: deps.parkAfter, streamPing: deps.streamPing,
	}, g.ingester, g.metrics, &g.draining, g.log)
	if err := g.register(collectors); err != nil {
		return nil, err
	}
	return g, nil
}

// loadProjects reads the projects for the first time.
func (g *Gateway) loadProjects() error {
	set := g.deps.Projects
	if set == nil {
		if g.cfg.ProjectsFile == "" {
			return projects.ErrNoFile
		}
		g.file = projects.NewFile(g.cfg.ProjectsFile, g.log)
		var err error
		if set, err = g.file.Load(); err != nil {
			return err
		}
	}
	g.limiters = ingest.NewLimiters(g.store)
	g.useProjects(set)
	return nil
}

// useProjects puts a reading of the projects into force. Limits that did not change keep their state.
func (g *Gateway) useProjects(set *projects.Set) {
	g.projects.Store(ingest.NewProjectSet(set, g.limiters, g.now()))
	g.limiters.Retain(set)
}

// newPublisher makes the publisher with the producer and the spool behind it.
func (g *Gateway) newPublisher() (err error) {
	cfg, producer := g.cfg, g.deps.Producer
	if producer == nil {
		if err := g.deps.Kafka.Check(); err != nil {
			return err
		}
		if g.producer, err = kafka.New(kafka.Config{Conn: g.deps.Kafka, Timeout: publish.AttemptTimeout}); err != nil {
			return err
		}
		producer = g.producer
	}
	if cfg.SpoolDir != "" {
		g.spool = spool.New(spool.Config{
			Dir: cfg.SpoolDir, MaxBytes: cfg.SpoolMaxBytes, MaxAge: cfg.SpoolMaxAge,
			Metrics: spool.Metrics{
				FsyncSeconds: g.metrics.spoolFsync, Errors: g.metrics.spoolErrors, Lost: g.metrics.spoolLost,
			},
			Log: g.log, Now: g.now, Uptime: g.deps.Uptime,
		})
	}
	g.publisher, err = publish.New(producer, publish.Config{
		MaxInflightBytes: cfg.MaxInflightBytes, MaxEventBytes: cfg.MaxEventBytes, MaxQueueWait: cfg.MaxQueueWait,
		RequestTimeout: cfg.RequestTimeout, Compression: cfg.KafkaCompression, Spool: g.spool,
		StuckAfter: g.deps.stuckAfter, RetryRefused: g.deps.refusedAgain,
		Metrics: publish.Metrics{
			ProduceSeconds: g.metrics.publishDuration, Errors: g.metrics.publishErrors,
			Overloads: g.events.Overloads.WithLabelValues(ingest.LimitInflightBytes),
		},
		Log: g.log,
	})
	return err
}

// newIngester makes the ingester with its limits.
func (g *Gateway) newIngester() (err error) {
	cfg := g.cfg
	g.outcomes = outcomes.New(outcomes.Config{
		Send: outcomes.Through(g.publisher, g.now), Now: g.now, Log: g.log, Every: g.deps.countEvery,
	})
	g.ingester, err = ingest.New(ingest.Config{
		Projects: &g.projects, Publisher: g.publisher, Metrics: g.events, Outcomes: g.outcomes, Now: g.now,
		Debug:          g.log.Enabled(context.Background(), slog.LevelDebug),
		RequestTimeout: cfg.RequestTimeout, PartitionBy: cfg.PartitionBy,
		MaxEventBytes: cfg.MaxEventBytes, MaxBulkBytes: cfg.MaxBulkBytes, MaxBodyBytes: cfg.MaxBodyBytes,
		BodySilence: g.deps.bodySilence, MaxInflightRequests: cfg.MaxInflightRequests,
		FailedKeysPerMinute: cfg.FailedKeysPerMinute, TrustedProxies: cfg.TrustedProxies,
		Tracer: g.tracer, Topic: g.deps.Kafka.Topic, Route: routePath,
	})
	return err
}

// register registers all metrics.
func (g *Gateway) register(collectors []prometheus.Collector) error {
	sources := gaugeSources{
		inflightBytes:      g.publisher.Inflight,
		inflightRequests:   g.ingester.UnderWay,
		bodyBytes:          g.ingester.BodyBytes,
		connections:        g.server.conns.Open,
		spool:              g.spooled,
		pendingCounts:      g.outcomes.Pending,
		countsFolded:       g.outcomes.Folded,
		projects:           g.projects.Load,
		projectsFileBroken: g.projectsFileBroken,
	}
	if g.spool != nil {
		sources.spoolMaxBytes, sources.spoolMaxAge = g.cfg.SpoolMaxBytes, g.cfg.SpoolMaxAge
	}
	for _, c := range append(collectors, gauges(sources)...) {
		if err := g.deps.Metrics.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

func (g *Gateway) projectsFileBroken() bool { return g.file != nil && g.file.Broken() }

// spooled returns the state of the spool, or zeros if there is none.
func (g *Gateway) spooled() spool.Stats {
	if g.spool == nil {
		return spool.Stats{}
	}
	return g.spool.Stats()
}

// Listen opens the public port. Call it before anything else starts, to find out whether the port is free.
func (g *Gateway) Listen() (net.Listener, error) {
	l, err := net.Listen("tcp", g.cfg.HTTPAddr)
	if err != nil {
		return nil, fmt.Errorf("--http-addr %s: %w", g.cfg.HTTPAddr, err)
	}
	return l, nil
}

// Run serves on l until ctx ends. Then it drains: it serves for the drain delay while health checks fail, stops
// accepting, waits for the requests under way, flushes the publisher, and returns nil. A request that does not finish
// within the drain timeout is never answered 202. Run is called once.
//
//	l ─▶ server ─▶ ingester ─▶ publisher ─▶ Kafka
//	                  ▲            └─▶ spool ─┘
//	projects file ────┤ watched
//	limit store ──────┘ if the limits are shared
func (g *Gateway) Run(ctx context.Context, l net.Listener) error {
	return g.tracer.Around(ctx, func(ctx context.Context) error { return g.run(ctx, l) })
}

func (g *Gateway) run(ctx context.Context, l net.Listener) error {
	defer func() {
		if g.producer != nil {
			g.producer.Close()
		}
	}()
	stopSpool, err := g.openSpool()
	if err != nil {
		return err
	}
	// The publisher and the limit store outlive the server, because requests under way wait for them.
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
		g.outcomes.Run(serving)
		return nil
	})
	group.Go(func() error {
		g.server.refusals.Run(publishing)
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
	group.Go(func() error {
		g.watchCertificate(serving)
		return nil
	})
	served := make(chan error, 1)
	group.Go(func() error {
		served <- g.server.serve(g.encrypted(l))
		return nil
	})
	g.started.Store(true)
	g.log.Info("gateway serves", "addr", l.Addr().String(), "tls", g.certificate != nil)

	var failure error
	select {
	case err := <-served:
		failure = fmt.Errorf("public port: %w", err)
		g.server.streams.Drain()
	case <-ctx.Done():
		failure = g.drain()
		_ = l.Close() // the server ends even if it was stopped before it listened
	}
	g.publishCounts()
	stopPublisher()
	stopServing()
	return errors.Join(failure, group.Wait(), stopSpool())
}

// openSpool opens and runs the spool, if there is one. Nobody may append to it after stop.
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

// drain is the last part of Run.
func (g *Gateway) drain() error {
	g.draining.Store(true)
	g.publisher.Drain()
	g.log.Info("gateway drains", "delay", g.deps.DrainDelay, "timeout", g.deps.DrainTimeout)
	time.Sleep(g.deps.DrainDelay)
	// The connections of WebSocket have left the server, which does not wait for them.
	var streams sync.WaitGroup
	streams.Go(g.server.streams.Drain)
	defer streams.Wait()
	if err := g.server.app.ShutdownWithTimeout(g.deps.DrainTimeout); err != nil {
		return fmt.Errorf("drain: requests were still in flight after %s: %w", g.deps.DrainTimeout, err)
	}
	g.log.Info("gateway stopped")
	return nil
}

// lastCounts is how long the last counts of refused events may take to reach Kafka or the spool.
const lastCounts = 2 * time.Second

// publishCounts publishes what no request adds to any more.
func (g *Gateway) publishCounts() {
	g.outcomes.Flush(time.Now().Add(lastCounts))
	if n := g.outcomes.Pending(); n > 0 {
		g.log.Error("the last counts of refused events are lost: neither Kafka nor a spool took them", "events", n)
	}
}

// Ready returns an error before Run and while Run drains. It returns nil while Kafka is away, because the gateway must
// answer the clients 503 and Retry-After.
func (g *Gateway) Ready() error {
	switch {
	case g.draining.Load():
		return errors.New("draining")
	case !g.started.Load():
		return errors.New("starting")
	}
	return nil
}

// laneGrace is how much longer than a request may wait a lane may work on one batch. The lane gives a batch up when the
// last of its requests does. A lane that takes longer is stuck in this process: in a disk, or in a lock.
const laneGrace = time.Minute

// Live returns an error if a lane of the publisher makes no progress. Waiting for Kafka counts as progress.
func (g *Gateway) Live() error { return g.publisher.Stalled(g.ingester.LongestWait() + laneGrace) }
