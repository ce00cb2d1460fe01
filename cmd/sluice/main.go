package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sluice/consumer/clickhouse"
	"strings"

	"github.com/alecthomas/kong"

	"sluice/internal/embedded"
	"sluice/internal/kafkaconn"
	"sluice/internal/plan/measure"
	"sluice/internal/process"
	"sluice/internal/settings"
)

const description = "Operates Sluice: runs the whole pipeline on one machine, " +
	"sends load and proves its arrival, creates topics and keys, replays dead letters, plans capacity."

// cli holds the commands. Each setting can be a flag, an environment variable (SLUICE_ and the flag in capitals, _ for
// -) or a line of the --config file, in this order of precedence.
type cli struct {
	settings.File
	Dev     devCmd     `cmd:"" set:"kafka_brokers=" set:"clickhouse_dsn=" help:"Run the whole pipeline on this machine: broker, ClickHouse, schema, gateway, consumer. Ctrl-C drains."`
	Load    loadCmd    `cmd:"" help:"Send events, report throughput and latency, and with --verify compare every acknowledged event with ClickHouse."`
	Topics  topicsCmd  `cmd:"" help:"Create or check the Kafka topics."`
	Dead    deadCmd    `cmd:"" help:"List, show and replay dead letters: records that could not become rows."`
	Offsets offsetsCmd `cmd:"" help:"Show how far the consumers are, or set them back so that records are read again."`
	Audit   auditCmd   `cmd:"" help:"Check that every record on the topic is a row, a dead letter, dropped, counted as lost, or waits; name those that are not. Exit 1 if there are any, 2 if that cannot be checked."`
	Erase   eraseCmd   `cmd:"" help:"Erase a user's or a project's events for good, and print what is gone and what remains where until when."`
	Plan    planCmd    `cmd:"" help:"Reckon what a load takes: partitions, gateways, consumers, ClickHouse shards, disk, network, memory and cost. --measure takes the figures on this machine."`
	Keys    keysCmd    `cmd:"" help:"Create project keys and their digests for the projects file."`
}

var vars = kong.Vars{
	"http_addr":      "127.0.0.1:8080",
	"admin_addr":     "127.0.0.1:8081",
	"drain_delay":    "0s",
	"kafka_brokers":  kafkaconn.DefaultBrokers,
	"clickhouse_dsn": clickhouse.DefaultDSN,
	"replication":    "3",
	"min_isr":        "2",
}

func main() {
	embedded.Main()         // never returns in the process of the ClickHouse engine
	measure.Main(planParts) // nor in the processes of sluice plan --measure
	process.Main("sluice", func(ctx context.Context) error { return run(ctx, settings.Process()) })
}

func run(ctx context.Context, src settings.Source) error {
	var c cli
	src.Version = process.VersionText()
	parsed, err := settings.Parse("sluice", description, &c, src, vars)
	if err != nil && len(src.Args) > 0 && src.Args[0] == "audit" && !errors.Is(err, settings.ErrHelp) {
		return process.ExitWith(exitCannotCheck, err)
	}
	if err != nil {
		return err
	}
	switch command, _, _ := strings.Cut(parsed.Command(), " "); command {
	case "dev":
		return c.Dev.run(ctx, settings.Origins(parsed, src), src.Stdout, src.Stderr)
	case "load":
		return c.Load.run(ctx, src.Stdout, src.Stderr)
	case "topics":
		return c.Topics.run(ctx, parsed.Command(), settings.Origins(parsed, src), src.Stdout)
	case "dead":
		return c.Dead.run(ctx, parsed.Command(), src.Stdout, src.Stderr)
	case "offsets":
		return c.Offsets.run(ctx, parsed.Command(), src.Stdout, src.Stderr)
	case "audit":
		return c.Audit.run(ctx, src.Stdout, src.Stderr)
	case "erase":
		return c.Erase.run(ctx, os.Stdin, src.Stdout, src.Stderr)
	case "plan":
		return c.Plan.run(ctx, src.Stdout, src.Stderr)
	case "keys":
		return c.Keys.run(parsed.Command(), os.Stdin, src.Stdout)
	default:
		return fmt.Errorf("unknown command %q", command)
	}
}
