package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"sluice/consumer"
	"sluice/consumer/schema"
	"sluice/gateway"
	"sluice/gateway/projects"
	"sluice/internal/plan/measure"
	"sluice/internal/process"
	"sluice/internal/settings"
)

// planParts are the programs that `sluice plan --measure` runs.
var planParts = measure.Parts{Gateway: measuredGateway, Consumer: measuredConsumer}

// measuredSettings returns the settings of gateway and consumer by default, at the place.
func measuredSettings(place measure.Place) (devCmd, error) {
	var c cli
	src := settings.Source{Stdout: io.Discard, Stderr: io.Discard, Args: []string{
		"dev", "--http-addr=127.0.0.1:0", "--kafka=" + place.Broker, "--clickhouse=" + place.ClickHouse,
		"--kafka-topic=events", "--kafka-dead-topic=events.dead",
	}}
	parsed, err := settings.Parse("sluice", description, &c, src, vars)
	if err != nil {
		return devCmd{}, err
	}
	err = c.Dev.resolve(settings.Origins(parsed, src))
	return c.Dev, err
}

func measuredLog() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func measuredGateway(ctx context.Context, place measure.Place, ready func(string)) error {
	c, err := measuredSettings(place)
	if err != nil {
		return err
	}
	g, err := gateway.New(c.Gateway, gateway.Deps{
		Kafka: c.Kafka, Metrics: process.Registry("gateway"), Log: measuredLog(),
		DrainTimeout: c.Process.DrainTimeout, Projects: projects.One(demoProject, place.Key),
	})
	if err != nil {
		return err
	}
	public, err := g.Listen()
	if err != nil {
		return err
	}
	return besides(ctx, func(ctx context.Context) error { return g.Run(ctx, public) }, g.Ready,
		func() { ready(public.Addr().String()) })
}

func measuredConsumer(ctx context.Context, place measure.Place, ready func(string)) error {
	c, err := measuredSettings(place)
	if err != nil {
		return err
	}
	if err := schema.NewMigrator(c.Consumer.Store, io.Discard).Apply(ctx); err != nil {
		return fmt.Errorf("apply the schema: %w", err)
	}
	consumes, err := consumer.New(c.Consumer, consumer.Deps{
		Kafka: c.Kafka, Metrics: process.Registry("consumer"), Log: measuredLog(),
		DrainTimeout: c.Process.DrainTimeout,
	})
	if err != nil {
		return err
	}
	return besides(ctx, consumes.Run, consumes.Ready, func() { ready("") })
}

// besides runs a part, and calls then as soon as the part is ready.
func besides(ctx context.Context, run func(context.Context) error, ready func() error, then func()) error {
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		done <- run(ctx)
		stop()
	}()
	if waitFor(ctx, ready) == nil {
		then()
	}
	err := <-done
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
