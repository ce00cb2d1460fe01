// Command consumer brings events from Kafka into ClickHouse, and makes the schema there.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sluice/consumer/clickhouse"
	"sluice/consumer/schema"

	"github.com/alecthomas/kong"

	"sluice/consumer"
	"sluice/internal/admin"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
	"sluice/internal/settings"
)

const description = "Brings events from Kafka into ClickHouse. Start as many as the topic has partitions, and no more."

// cli are the program's settings. Every one can be a flag, an environment variable (SLUICE_ and the flag in capitals, _ for
// -) or a line of the --config file; that is also their order of precedence.
type cli struct {
	settings.File
	consumer.Config
	Kafka   kafkaconn.Config `embed:""`
	Process process.Config   `embed:""`

	Run     struct{}   `cmd:"" default:"1" help:"Consume. This is what the program does when no command is given."`
	Migrate migrateCmd `cmd:"" help:"Make the database and bring its schema up to date. May be run again at any time."`
	Check   struct{}   `cmd:"" help:"Check the settings, say every fault, and exit: 0 when there is none. Nothing is asked of Kafka or ClickHouse."`
	Health  struct{}   `cmd:"" help:"Ask the running consumer's admin port whether it is ready, and exit: 0 if it is."`
}

type migrateCmd struct {
	DryRun           bool `name:"dry-run" help:"Print the statements that would be run instead of running them: on this server, or on an empty one if it cannot be reached." xor:"how"`
	Cloud            bool `name:"cloud" help:"With --dry-run: print the statements for an empty ClickHouse Cloud, which is recognised by itself otherwise."`
	Status           bool `name:"status" help:"Say of each object whether it is there, missing, different or pending; exit 1 unless all is there as it should be." xor:"how"`
	ShortenRetention bool `name:"shorten-retention" help:"Let --retention be shorter than before. That removes all events that are older, at once."`
	ReplaceViews     bool `name:"replace-views" help:"Replace views of Sluice whose query was changed."`
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
	switch parsed.Command() {
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
	if err := errors.Join(c.Config.Check(), c.Kafka.Check(), c.Kafka.CheckFiles(), c.Process.Check()); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "settings are good")
	return err
}

func migrate(ctx context.Context, c cli, out io.Writer) error {
	if err := c.Store.Check(); err != nil {
		return err
	}
	if c.Migrate.Cloud && !c.Migrate.DryRun {
		return errors.New("--cloud: goes with --dry-run only")
	}
	m := schema.NewMigrator(c.Store, out)
	m.May = schema.Permissions{ShortenRetention: c.Migrate.ShortenRetention, ReplaceViews: c.Migrate.ReplaceViews}
	switch {
	case c.Migrate.DryRun:
		return m.DryRun(ctx, c.Migrate.Cloud)
	case c.Migrate.Status:
		return m.Status(ctx)
	default:
		return m.Apply(ctx)
	}
}

// consume wires the program:
//
//	Kafka ─▶ consumer ─▶ ClickHouse
//	admin port ──▶ health, metrics, profiles
func consume(ctx context.Context, c cli, logTo io.Writer) error {
	if err := c.Process.Check(); err != nil {
		return err
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		// Freed blocks are collected before the process grows beyond what the setting's help says.
		debug.SetMemoryLimit(3*int64(c.BufferBytes) + 64<<20)
	}
	return process.Serve(ctx, "consumer", c.Process.Log, logTo, func(ctx context.Context, s process.Service) error {
		worker, err := consumer.New(c.Config, consumer.Deps{
			Kafka: c.Kafka, Metrics: s.Metrics, Log: s.Log, DrainTimeout: c.Process.DrainTimeout,
		})
		if err != nil {
			return err
		}
		server := &admin.Server{Addr: c.Process.AdminAddr, Metrics: s.Metrics, Live: worker.Live, Ready: worker.Ready}
		return server.Around(ctx, worker.Run)
	})
}
