// Command gateway is Sluice's edge: it accepts events over HTTP and writes them to Kafka.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/alecthomas/kong"

	"sluice/gateway"
	"sluice/gateway/projects"
	"sluice/internal/admin"
	"sluice/internal/console"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
	"sluice/internal/settings"
)

const description = "Accepts events over HTTP and answers 202 after Kafka has acknowledged them with acks=all."

// cli holds the program's settings. Each can be a flag, an environment variable (SLUICE_ and the flag in capitals, _
// for -) or a line of the --config file, in this order of precedence.
type cli struct {
	settings.File
	gateway.Config
	Console     console.Settings  `embed:""`
	Kafka       kafkaconn.Config  `embed:""`
	Process     process.Config    `embed:""`
	MaxEventAge settings.Duration `name:"max-event-age" default:"90d" help:"A setting of the consumer, without effect here, so that one set of flags serves both programs."`

	Serve  struct{} `cmd:"" default:"1" help:"Serve requests. This is the default command."`
	Check  struct{} `cmd:"" help:"Check the settings, the projects file and, if Kafka answers, the topic; print every fault, and exit: 0 without a fault."`
	Health struct{} `cmd:"" help:"Ask the admin port of the running gateway whether it is ready, and exit: 0 if ready."`
}

// noExplore is what the console says about the database.
const noExplore = "This console has no access to the database. Analysts query it themselves; sluice dev also shows events, issues and SQL."

var vars = kong.Vars{
	"http_addr":     "0.0.0.0:8080",
	"admin_addr":    "0.0.0.0:8081",
	"drain_delay":   "5s",
	"kafka_brokers": kafkaconn.DefaultBrokers,
}

func main() {
	process.Main("gateway", func(ctx context.Context) error { return run(ctx, settings.Process()) })
}

func run(ctx context.Context, src settings.Source) error {
	var c cli
	src.Version = process.VersionText()
	parsed, err := settings.Parse("gateway", description, &c, src, vars)
	if err != nil {
		return err
	}
	switch parsed.Command() {
	case "check":
		return check(ctx, c, src.Stdout)
	case "health":
		return admin.Healthy(ctx, c.Process.AdminAddr)
	default:
		return serve(ctx, c, src.Stderr)
	}
}

func check(ctx context.Context, c cli, out io.Writer) error {
	err := errors.Join(c.Config.Check(), c.Console.Check(), c.Kafka.Check(), c.Kafka.CheckFiles(), c.Process.Check(), samePort(c),
		projects.Check(c.ProjectsFile),
		gateway.CheckSpool(c.Config))
	var notes []string
	if err == nil { // connect to Kafka only with valid settings
		notes, err = gateway.CheckTopic(ctx, c.Config, c.Kafka)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "no faults in the settings and projects")
	for _, note := range notes {
		_, noteErr := fmt.Fprintln(out, "note:", note)
		err = errors.Join(err, noteErr)
	}
	return err
}

// samePort returns an error if both ports have the same address.
func samePort(c cli) error {
	_, public, err1 := net.SplitHostPort(c.HTTPAddr)
	_, private, err2 := net.SplitHostPort(c.Process.AdminAddr)
	if err1 == nil && err2 == nil && c.HTTPAddr == c.Process.AdminAddr && public != "0" && private != "0" {
		return fmt.Errorf("--admin-addr: %s is the public port's address (--http-addr)", c.Process.AdminAddr)
	}
	return nil
}

// serve connects the parts and runs them until ctx ends:
//
//	public port ─▶ gateway ─▶ Kafka
//	admin port ──▶ health, metrics, profiles, console
func serve(ctx context.Context, c cli, logTo io.Writer) error {
	if err := errors.Join(c.Process.Check(), c.Console.Check()); err != nil {
		return err
	}
	return process.Serve(ctx, "gateway", c.Process.Log, logTo, func(ctx context.Context, s process.Service) error {
		g, err := gateway.New(c.Config, gateway.Deps{
			Kafka: c.Kafka, Metrics: s.Metrics, Log: s.Log,
			DrainDelay: c.Process.DrainDelay, DrainTimeout: c.Process.DrainTimeout,
		})
		if err != nil {
			return err
		}
		public, err := g.Listen()
		if err != nil {
			return err
		}
		defer public.Close() //nolint:errcheck // Run closes it, unless New fails
		page := console.New(console.Config{
			Gateway: s.Metrics, Consumers: c.Console.Consumers, Version: "gateway " + process.VersionText(), NoExplore: noExplore,
		})
		server := &admin.Server{
			Addr: c.Process.AdminAddr, Metrics: s.Metrics, Live: g.Live, Ready: g.Ready, Console: page.Handler(),
		}
		return server.Around(ctx, func(ctx context.Context) error {
			return page.Around(ctx, func(ctx context.Context) error {
				return process.Frugal(ctx, func(ctx context.Context) error { return g.Run(ctx, public) })
			})
		})
	})
}
