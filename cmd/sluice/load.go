package main

import (
	"context"
	"errors"
	"io"
	"time"

	"sluice/internal/backfill"
	"sluice/internal/load"
	"sluice/internal/process"
)

type loadCmd struct {
	load.Config
	Import backfill.Config `embed:""`

	Canary    bool          `name:"canary" help:"Send one small event every --every until stopped, and export on the admin port the time until each can be queried in ClickHouse. Of the other flags, only --url, --key, --project, --clickhouse and --timeout count."`
	Every     time.Duration `name:"every" default:"30s" placeholder:"D" help:"With --canary: time between two events, at least 1s."`
	LateAfter time.Duration `name:"late-after" default:"60s" placeholder:"D" help:"With --canary: an event that cannot be queried after this time is a failure."`
	AdminAddr string        `name:"admin-addr" default:"127.0.0.1:8084" help:"With --canary: address of the admin port: /livez, /readyz, /metrics, /debug/pprof. Never make it public."`
	process.Log
}

func (c loadCmd) run(ctx context.Context, out, progress io.Writer) error {
	switch {
	case c.Canary && len(c.Import.From) > 0:
		return errors.New("--canary and --from exclude each other")
	case c.Canary:
		return c.canary(ctx, progress)
	case len(c.Import.From) > 0:
		return c.importFiles(ctx, out, progress)
	case c.Import.State != "" || c.Import.Rejects != "" || c.Import.Restart || c.Import.DryRun:
		return errors.New("--state, --rejects, --restart and --dry-run go with --from FILE")
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
