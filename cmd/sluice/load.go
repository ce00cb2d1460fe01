package main

import (
	"context"
	"os"

	"sluice/internal/load"
	"sluice/internal/process"
)

type loadCmd struct {
	load.Config
}

func (c loadCmd) run(ctx context.Context) error {
	report, err := load.New(c.Config, os.Stdout, os.Stderr).Run(ctx)
	if err != nil {
		return err
	}
	if !report.OK() {
		return process.ErrReported
	}
	return nil
}
