package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sluice/consumer/schema"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/consumer"
	"sluice/gateway"
	"sluice/gateway/projects"
	"sluice/internal/admin"
	"sluice/internal/embedded"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
	"sluice/internal/settings"
	"sluice/internal/topics"
)

// devCmd holds the settings of sluice dev: its own, and all of the gateway and the consumer.
type devCmd struct {
	DataDir            string `name:"data-dir" default:".sluice" help:"Folder for the broker's log and ClickHouse's data."`
	Fsync              bool   `name:"fsync" help:"Sync the broker's log to disk for every batch. Without it the system writes the log later, as with Kafka: a killed process loses nothing, a power cut may."`
	KafkaAddr          string `name:"kafka-addr" default:"127.0.0.1:9092" help:"Address of the embedded broker."`
	ClickHouseAddr     string `name:"clickhouse-addr" default:"127.0.0.1:9000" help:"Address of ClickHouse's native port."`
	ClickHouseHTTPAddr string `name:"clickhouse-http-addr" default:"127.0.0.1:8123" help:"Address of ClickHouse's HTTP port; it has a console at /play."`
	ConsumerAdminAddr  string `name:"consumer-admin-addr" default:"127.0.0.1:8082" help:"Address of the consumer's admin port."`
	ExternalKafka      string `name:"kafka" placeholder:"HOST:PORT,…" help:"Use these Kafka brokers instead of the embedded one, with the group sluice-dev and the topics dev-events and dev-events.dead unless --kafka-group, --kafka-topic and --kafka-dead-topic are set. Command line only."`
	ExternalClickHouse string `name:"clickhouse" placeholder:"DSN" help:"Use this ClickHouse instead of the embedded one, with the database sluice_dev unless the DSN names one. Command line only."`
	UseExisting        bool   `name:"use-existing" help:"With --kafka or --clickhouse: use topics and a database that sluice dev did not create, change the database's schema, and join a group with members and share its partitions. Command line only."`

	Kafka    kafkaconn.Config `embed:""`
	Gateway  gateway.Config   `embed:""`
	Consumer consumer.Config  `embed:""`
	Process  process.Config   `embed:""`
}

// These describe the project of a pipeline without a projects file.
const (
	demoProject = "demo"
	demoKey     = "dev-key"
	demoDSNKey  = "devkey" // for Sentry's SDKs, some of which refuse a DSN with a hyphen in the key
)

// dev is a running pipeline.
type dev struct {
	cmd   devCmd
	given map[string]settings.Origin
	out   io.Writer
	logTo io.Writer
	log   *slog.Logger
	start time.Time

	database string // on a ClickHouse that dev did not start
	metrics  []prometheus.Gatherer
	engine   *embedded.Engine    // nil with a ClickHouse that dev did not start
	rows     prometheus.Gatherer // the consumer's metrics

	parts  parts // broker and engine
	edge   parts // gateway
	behind parts // consumer
}

func (c devCmd) run(ctx context.Context, given map[string]settings.Origin, out, logTo io.Writer) error {
	log := c.Process.Logger(logTo)
	if err := c.keepApart(given, log); err != nil {
		return err
	}
	if err := c.resolve(given); err != nil {
		return err
	}
	return process.Serve(ctx, "sluice", c.Process.Log, logTo, func(ctx context.Context, s process.Service) error {
		d := &dev{cmd: c, given: given, out: out, logTo: logTo, log: s.Log, start: time.Now()}
		if err := d.checkPlaces(ctx); err != nil {
			return d.cause(ctx, err)
		}
		return d.run(ctx)
	})
}

// resolve chooses between the two settings that name a server, and checks all settings before any part starts.
func (c *devCmd) resolve(given map[string]settings.Origin) error {
	if c.ExternalKafka != "" {
		c.Kafka.Brokers = settings.List(c.ExternalKafka)
	}
	if len(c.Kafka.Brokers) > 0 {
		c.KafkaAddr = ""
	} else {
		c.Kafka.Brokers = []string{c.KafkaAddr}
	}
	if c.ExternalClickHouse != "" {
		c.Consumer.Store.ClickHouse.DSN, c.Consumer.Store.ClickHouse.DSNFile = c.ExternalClickHouse, ""
	}
	if c.Consumer.Store.ClickHouse.DSN != "" || c.Consumer.Store.ClickHouse.DSNFile != "" {
		c.ClickHouseAddr = ""
	} else {
		c.Consumer.Store.ClickHouse.DSN = "clickhouse://" + c.ClickHouseAddr + "/sluice"
	}
	c.ownNames(given)
	return errors.Join(c.Kafka.Check(), c.Gateway.Check(), c.Consumer.Check(), c.Process.Check())
}

// run starts the parts in the order of their dependencies and stops them in reverse order:
//
//	broker, engine ─▶ topics, schema ─▶ consumer ─▶ gateway ─▶ "ready"
//
// On a server that dev did not start, dev first creates topics and a database of its own.
//
// If a part fails, run stops all parts.
func (d *dev) run(ctx context.Context) (err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer func() {
		// Drain in the direction of the events: no part sends to a stopped part.
		err = errors.Join(err, d.edge.stop(), d.behind.stop(), d.parts.stop())
	}()
	for _, step := range []func(context.Context, context.CancelCauseFunc) error{
		d.startServers, d.prepare, d.startConsumer, d.startGateway,
	} {
		if err := step(ctx, fail); err != nil {
			return d.cause(ctx, err)
		}
	}
	d.parts.start("activity log", fail,
		func(ctx context.Context) error { return logActivity(ctx, d.log, activityInterval, d.metrics) })
	d.printReady()
	<-ctx.Done()
	return d.cause(ctx, nil)
}

// cause returns why the pipeline stopped: nil if it was told to.
func (d *dev) cause(ctx context.Context, err error) error {
	if why := context.Cause(ctx); why != nil && !errors.Is(why, context.Canceled) {
		return why
	}
	if ctx.Err() != nil {
		return nil // Ctrl-C interrupted a step
	}
	return err
}

// startServers starts the broker and the engine, or whichever of them dev runs itself.
func (d *dev) startServers(ctx context.Context, fail context.CancelCauseFunc) error {
	var ready []<-chan struct{}
	if d.cmd.ClickHouseAddr != "" {
		engine := embedded.NewEngine(embedded.EngineConfig{
			TCPAddr: d.cmd.ClickHouseAddr, HTTPAddr: d.cmd.ClickHouseHTTPAddr,
			DataDir: filepath.Join(d.cmd.DataDir, "clickhouse"), Progress: d.logTo, Logger: d.log,
			Restart: true, Front: true,
		})
		d.engine = engine
		d.parts.start("clickhouse", fail, engine.Run)
		ready = append(ready, engine.Ready())
	}
	if d.cmd.KafkaAddr != "" {
		broker := embedded.NewBroker(embedded.BrokerConfig{
			Addr: d.cmd.KafkaAddr, DataDir: filepath.Join(d.cmd.DataDir, "kafka"),
			SyncWrites: d.cmd.Fsync, Logger: d.log,
		})
		d.parts.start("kafka", fail, broker.Run)
		ready = append(ready, broker.Ready())
	}
	for _, r := range ready {
		select {
		case <-r:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// prepare creates the topics and the schema.
func (d *dev) prepare(ctx context.Context, _ context.CancelCauseFunc) error {
	layout := topics.Config{Partitions: 12, Replication: 1, MinISR: 1, Retention: settings.Duration(7 * 24 * time.Hour)}
	admin, closeAdmin, err := topics.New(d.cmd.Kafka, layout, logWriter{d.log, "topics"})
	if err != nil {
		return err
	}
	defer closeAdmin()
	migrator := schema.NewMigrator(d.cmd.Consumer.Store, logWriter{d.log, "schema"})
	if err := d.claim(ctx, admin, migrator); err != nil {
		return err
	}
	err = migrator.Apply(ctx)
	if errors.Is(err, schema.ErrLeft) {
		d.log.Warn("schema differs", "error", err)
		return nil
	}
	return err
}

func (d *dev) startConsumer(ctx context.Context, fail context.CancelCauseFunc) error {
	registry := process.Registry("consumer")
	d.metrics, d.rows = append(d.metrics, registry), registry
	c, err := consumer.New(d.cmd.Consumer, consumer.Deps{
		Kafka: d.cmd.Kafka, Metrics: registry, Log: d.log, DrainTimeout: d.cmd.Process.DrainTimeout,
	})
	if err != nil {
		return err
	}
	server := &admin.Server{Addr: d.cmd.ConsumerAdminAddr, Flag: "--consumer-admin-addr", Metrics: registry,
		Live: c.Live, Ready: c.Ready}
	d.behind.start("consumer", fail, func(ctx context.Context) error { return server.Around(ctx, c.Run) })
	return waitFor(ctx, c.Ready)
}

func (d *dev) startGateway(ctx context.Context, fail context.CancelCauseFunc) error {
	registry := process.Registry("gateway")
	d.metrics = append(d.metrics, registry)
	deps := gateway.Deps{
		Kafka: d.cmd.Kafka, Metrics: registry, Log: d.log,
		DrainDelay: d.cmd.Process.DrainDelay, DrainTimeout: d.cmd.Process.DrainTimeout,
	}
	if d.cmd.Gateway.ProjectsFile == "" {
		deps.Projects = projects.One(demoProject, demoKey, demoDSNKey)
	}
	g, err := gateway.New(d.cmd.Gateway, deps)
	if err != nil {
		return err
	}
	public, err := g.Listen()
	if err != nil {
		return err
	}
	page := d.console(registry)
	server := &admin.Server{
		Addr: d.cmd.Process.AdminAddr, Metrics: registry, Live: g.Live, Ready: g.Ready, Console: page.Handler(),
	}
	d.edge.start("gateway", fail, func(ctx context.Context) error {
		defer public.Close() //nolint:errcheck // Run closes it, unless Run was never called
		return server.Around(ctx, func(ctx context.Context) error {
			return page.Around(ctx, func(ctx context.Context) error { return g.Run(ctx, public) })
		})
	})
	return waitFor(ctx, g.Ready)
}
