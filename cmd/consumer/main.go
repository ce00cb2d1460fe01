// Command consumer reads events from Kafka and inserts them into ClickHouse. It also creates and migrates the schema.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/consumer"
	"sluice/consumer/clickhouse"
	"sluice/consumer/grants"
	"sluice/consumer/schema"
	"sluice/internal/admin"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
	"sluice/internal/settings"
	"sluice/internal/tracing"
)

const description = "Reads events from Kafka and inserts them into ClickHouse. " +
	"Start at most as many as the topic has partitions."

// cli holds the program's settings. Each can be a flag, an environment variable (SLUICE_ and the flag in capitals, _
// for -) or a line of the --config file, in this order of precedence.
type cli struct {
	settings.File
	consumer.Config
	Kafka   kafkaconn.Config `embed:""`
	Process process.Config   `embed:""`
	Trace   tracing.Config   `embed:""`

	Run     struct{}   `cmd:"" default:"1" help:"Consume events. This is the default command."`
	Migrate migrateCmd `cmd:"" help:"Create the database and migrate its schema. Safe to repeat."`
	Columns columnsCmd `cmd:"" help:"Add columns to events whose values come from the payload, list them, remove them."`
	Check   struct{}   `cmd:"" help:"Check the settings, print every fault, and exit: 0 without a fault. Connects to neither Kafka nor ClickHouse."`
	Health  struct{}   `cmd:"" help:"Ask the admin port of the running consumer whether it is ready, and exit: 0 if ready."`
}

type migrateCmd struct {
	DryRun           bool `name:"dry-run" help:"Print the statements without running them: those for this server, or for an empty one if it is unreachable." xor:"how"`
	Cloud            bool `name:"cloud" help:"With --dry-run: print the statements for an empty ClickHouse Cloud. Without --dry-run, the program detects ClickHouse Cloud."`
	Status           bool `name:"status" help:"Print for each object whether it is there, missing, different or pending; exit 1 unless all are there." xor:"how"`
	ShortenRetention bool `name:"shorten-retention" help:"Allow a retention that is shorter than before, for any project or for the counts. This removes what is older at once."`
	ReplaceViews     bool `name:"replace-views" help:"Replace Sluice's views whose query was changed."`

	Grants bool `name:"grants" help:"Also make the access that the consumer and analysts need: roles, row policies, limits."`
	grants.Config
}

var vars = kong.Vars{
	"admin_addr":     "0.0.0.0:8082",
	"drain_delay":    "5s",
	"kafka_brokers":  kafkaconn.DefaultBrokers,
	"clickhouse_dsn": clickhouse.DefaultDSN,
}

func main() {
	process.Main("consumer", func(ctx context.Context) error { return run(ctx, settings.Process()) })
}

func run(ctx context.Context, src settings.Source) error {
	var c cli
	src.Version = process.VersionText()
	parsed, err := settings.Parse("consumer", description, &c, src, vars)
	if err != nil {
		return err
	}
	switch command, _, _ := strings.Cut(parsed.Command(), " "); command {
	case "columns":
		return c.Columns.run(ctx, parsed.Command(), c.Store.ClickHouse, src.Stdout, src.Stderr)
	case "migrate":
		return migrate(ctx, c, src.Stdout)
	case "check":
		return check(c, src.Stdout)
	case "health":
		return admin.Healthy(ctx, c.Process.AdminAddr)
	default:
		return consume(ctx, c, src.Stderr)
	}
}

func check(c cli, out io.Writer) error {
	if err := errors.Join(c.Config.Check(), c.Kafka.Check(), c.Kafka.CheckFiles(), c.Process.Check(), c.Trace.Check(),
		c.Trace.CheckFiles()); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "no faults in the settings")
	return err
}

func migrate(ctx context.Context, c cli, out io.Writer) error {
	if err := errors.Join(c.Store.Check(), c.Migrate.Config.Check(c.Migrate.Grants)); err != nil {
		return err
	}
	if c.Migrate.Cloud && !c.Migrate.DryRun {
		return errors.New("--cloud: needs --dry-run")
	}
	m := schema.NewMigrator(c.Store, out)
	m.May = schema.Permissions{ShortenRetention: c.Migrate.ShortenRetention, ReplaceViews: c.Migrate.ReplaceViews}
	g := grants.NewManager(c.Migrate.Config, c.Store.ClickHouse, out)
	switch {
	case c.Migrate.DryRun:
		dry := func(ctx context.Context) error { return g.DryRun(ctx, c.Migrate.Cloud) }
		return c.Migrate.both(ctx, m.DryRun(ctx, c.Migrate.Cloud), schema.ErrLeft, dry)
	case c.Migrate.Status:
		return c.Migrate.both(ctx, m.Status(ctx), schema.ErrPending, g.Status)
	default:
		return c.Migrate.both(ctx, m.Apply(ctx), schema.ErrLeft, g.Apply)
	}
}

// both goes on with the access after the schema, if that is wanted. err is what became of the schema. The access does
// not depend on what an error like mild reports.
func (c migrateCmd) both(ctx context.Context, err, mild error, access func(context.Context) error) error {
	if !c.Grants || err != nil && !errors.Is(err, mild) {
		return err
	}
	switch second := access(ctx); {
	case second == nil:
		return err
	case err == nil:
		return second
	default:
		return fmt.Errorf("%w; %w", err, second)
	}
}

// consume connects the parts and runs them until ctx ends:
//
//	Kafka ─▶ consumer ─▶ ClickHouse
//	admin port ──▶ health, metrics, profiles
func consume(ctx context.Context, c cli, logTo io.Writer) error {
	if err := c.Process.Check(); err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		// The collector frees released blocks before the process exceeds the size in the help text of --buffer-bytes.
		debug.SetMemoryLimit(3*int64(c.BufferBytes) + 64<<20)
	}
	return process.Serve(ctx, "consumer", c.Process.Log, logTo, func(ctx context.Context, s process.Service) error {
		worker, err := consumer.New(c.Config, consumer.Deps{
			Kafka: c.Kafka, Metrics: s.Metrics, Log: s.Log, DrainTimeout: c.Process.DrainTimeout,
			Trace: c.Trace, Version: s.Version,
		})
		if err != nil {
			return err
		}
		server := &admin.Server{Addr: c.Process.AdminAddr, Metrics: s.Metrics, Live: worker.Live, Ready: worker.Ready}
		return server.Around(ctx, worker.Run)
	})
}
