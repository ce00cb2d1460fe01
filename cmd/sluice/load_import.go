package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"sluice/internal/backfill"
	"sluice/internal/process"
)

// importFiles sends the events of files in place of generated ones.
func (c loadCmd) importFiles(ctx context.Context, out, progress io.Writer) error {
	for _, flag := range []struct {
		name string
		set  bool
	}{
		{"--events", c.Events > 0}, {"--duration", c.Duration > 0}, {"--repeat", c.Repeat > 0}, {"--verify", c.Verify},
		{"--ledger", c.Ledger != ""}, {"--realistic", c.Realistic}, {"--write", c.Write != ""},
	} {
		if flag.set {
			return errors.New(flag.name + ": goes with generated events, not with --from")
		}
	}
	report, err := backfill.New(c.Import, backfill.Target{
		URL: c.URL, Key: c.Key, Bulk: c.Bulk, Connections: c.Connections, Rate: c.Rate, Gzip: c.Gzip,
		Timeout: c.Timeout, GiveUp: c.GiveUp, Connect: c.Connect, JSON: c.JSON,
	}, os.Stdin, out, progress).Run(ctx)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if !report.OK() {
		return process.ErrReported
	}
	return nil
}
