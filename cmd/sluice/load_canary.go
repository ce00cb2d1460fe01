package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"sluice/internal/admin"
	"sluice/internal/load/canary"
	"sluice/internal/process"
	"sluice/internal/settings"
)

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
