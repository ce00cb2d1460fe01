package main

import (
	"context"
	"io"

	"sluice/internal/load"
	"sluice/internal/process"
)

type loadCmd struct {
	load.Config
}

func (c loadCmd) run(ctx context.Context, out, progress io.Writer) error {
	report, err := load.New(c.Config, out, progress).Run(ctx)
	if err != nil {
		return err
	}
	if !report.OK() {
		return process.ErrReported
	}
	return nil
}
