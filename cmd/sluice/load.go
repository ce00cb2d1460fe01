package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/internal/admin"
	"sluice/internal/load"
	"sluice/internal/load/canary"
	"sluice/internal/process"
	"sluice/internal/settings"
)

type loadCmd struct {
	load.Config

	Canary    bool          `name:"canary" help:"Send one small event every --every until stopped, and export on the admin port the time until each can be queried in ClickHouse. Of the other flags, only --url, --key, --project, --clickhouse and --timeout count."`
	Every     time.Duration `name:"every" default:"30s" placeholder:"D" help:"With --canary: time between two events, at least 1s."`
	LateAfter time.Duration `name:"late-after" default:"60s" placeholder:"D" help:"With --canary: an event that cannot be queried after this time is a failure."`
	AdminAddr string        `name:"admin-addr" default:"127.0.0.1:8084" help:"With --canary: address of the admin port: /livez, /readyz, /metrics, /debug/pprof. Never make it public."`
	process.Log
}

func (c loadCmd) run(ctx context.Context, out, progress io.Writer) error {
	if c.Canary {
		return c.canary(ctx, progress)
	}
	report, err := load.New(c.Config, out, progress).Run(ctx)
	if err != nil {
		return err
	}
	if !report.OK() {
		return process.ErrReported
	}
	return nil
}

// canary runs until ctx ends:
//
//	canary ─▶ gateway, ClickHouse
//	admin port ──▶ metrics
func (c loadCmd) canary(ctx context.Context, logTo io.Writer) error {
	if c.Events > 0 || c.Duration > 0 || c.Verify {
		return errors.New("--canary runs until it is stopped: leave out --events, --duration and --verify")
	}
	if err := settings.CheckListen(c.AdminAddr); err != nil {
		return fmt.Errorf("--admin-addr: %w", err)
	}
	return process.Serve(ctx, "sluice", c.Log, logTo, func(ctx context.Context, s process.Service) error {
		bird, err := canary.New(canary.Config{
			URL: c.URL, Key: c.Key, Project: c.Project, ClickHouse: c.ClickHouse, Every: c.Every,
			LateAfter: c.LateAfter, Timeout: c.Timeout,
		}, s.Metrics, s.Log)
		if err != nil {
			return err
		}
		fine := func() error { return nil }
		server := &admin.Server{Addr: c.AdminAddr, Metrics: s.Metrics, Live: fine, Ready: fine}
		return server.Around(ctx, bird.Run)
	})
}
