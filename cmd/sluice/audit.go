package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"sluice/consumer/audit"
	"sluice/internal/admin"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
	"sluice/internal/settings"
)

// auditCmd checks that every record on the topic is accounted for.
type auditCmd struct {
	Kafka kafkaconn.Config `embed:""`
	audit.Config
	Every     time.Duration `name:"every" default:"0s" placeholder:"D" help:"Repeat the audit this often, until stopped, and serve metrics on the admin port. 0: one audit."`
	AdminAddr string        `name:"admin-addr" default:"127.0.0.1:8083" help:"With --every: address of the admin port: /livez, /readyz, /metrics, /debug/pprof. Never make it public."`
	JSON      bool          `name:"json" help:"Print one JSON object for each audit."`
	process.Log
}

// exitCannotCheck is the exit code of an audit that says nothing about the records. 1 means that records are lost.
const exitCannotCheck = 2

func (c *auditCmd) run(ctx context.Context, out, logTo io.Writer) error {
	err := c.check(ctx, out, logTo)
	if err != nil && !errors.Is(err, process.ErrReported) {
		return process.ExitWith(exitCannotCheck, err)
	}
	return err
}

func (c *auditCmd) check(ctx context.Context, out, logTo io.Writer) error {
	if c.Every < 0 {
		return errors.New("--every: must not be negative")
	}
	auditor, err := audit.New(c.Config, c.Kafka, logTo)
	if err != nil {
		return err
	}
	defer auditor.Close()
	if c.Every > 0 {
		return c.watch(ctx, auditor, out, logTo)
	}
	report, err := auditor.Audit(ctx)
	if err != nil {
		return err
	}
	if err := c.print(report, out); err != nil {
		return err
	}
	switch report.Verdict() {
	case audit.Unaccounted:
		return process.ErrReported
	case audit.Incomplete:
		return errors.New("the audit is incomplete")
	}
	return nil
}

// watch repeats the audit until ctx ends:
//
//	audit ─▶ log, standard output
//	admin port ──▶ metrics
func (c *auditCmd) watch(ctx context.Context, auditor *audit.Auditor, out, logTo io.Writer) error {
	if err := settings.CheckListen(c.AdminAddr); err != nil {
		return fmt.Errorf("--admin-addr: %w", err)
	}
	return process.Serve(ctx, "sluice", c.Log, logTo, func(ctx context.Context, s process.Service) error {
		watcher := &audit.Watcher{Auditor: auditor, Every: c.Every, Metrics: audit.NewMetrics(s.Metrics), Log: s.Log}
		if c.JSON {
			watcher.Each = func(r *audit.Report) {
				if err := r.WriteJSON(out); err != nil {
					s.Log.Warn("the report cannot be printed", "err", err)
				}
			}
		}
		fine := func() error { return nil }
		server := &admin.Server{Addr: c.AdminAddr, Metrics: s.Metrics, Live: fine, Ready: fine}
		return server.Around(ctx, watcher.Run)
	})
}

func (c *auditCmd) print(report *audit.Report, out io.Writer) error {
	if c.JSON {
		return report.WriteJSON(out)
	}
	return report.WriteText(out)
}
