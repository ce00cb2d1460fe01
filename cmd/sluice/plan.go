package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"sluice/internal/plan"
	"sluice/internal/plan/measure"
	"sluice/internal/process"
)

// planCmd reckons what a load takes.
type planCmd struct {
	plan.Load `embed:""`

	Measure bool   `name:"measure" help:"Measure the figures on this machine, in about two minutes, instead of taking those of docs/performance.md. Runs a broker, ClickHouse, a gateway and a consumer, and needs some 500 MB of disk for that time."`
	Figures string `name:"figures" placeholder:"FILE" help:"Take the figures from this file, which --save wrote."`
	Save    string `name:"save" placeholder:"FILE" help:"With --measure: also write the figures to this file, for --figures. Without --events-per-second the command does no more than that."`
	Table   bool   `name:"table" help:"Print a Markdown table for 10 thousand, 100 thousand, 1 million and 10 million events a second instead. --events-per-second, --bulk and --gzip do not count."`
	JSON    bool   `name:"json" help:"Print one JSON document: the plan, why each number is what it is, warnings and figures."`
	Strict  bool   `name:"strict" help:"Exit 1 if there are warnings."`
}

func (c *planCmd) run(ctx context.Context, out, progress io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	figures, err := c.figures(ctx, progress)
	if err != nil {
		return err
	}
	if c.Table {
		text, err := plan.Table(c.Load, figures)
		if err != nil {
			return err
		}
		return printed(io.WriteString(out, text))
	}
	if c.saveOnly() {
		return nil
	}
	p, err := plan.Compute(c.Load, figures)
	if err != nil {
		return err
	}
	write := p.WriteText
	if c.JSON {
		write = p.WriteJSON
	}
	if err := write(out); err != nil {
		return err
	}
	if c.Strict && len(p.Warnings) > 0 {
		return process.ErrReported
	}
	return nil
}

// check refuses faulty settings before a minute is spent on a measurement.
func (c *planCmd) check() error {
	switch {
	case c.Measure && c.Figures != "":
		return errors.New("--measure and --figures exclude each other")
	case c.Save != "" && !c.Measure:
		return errors.New("--save goes with --measure")
	case c.Table && c.JSON:
		return errors.New("--table and --json exclude each other")
	case c.saveOnly():
		return nil
	}
	load := c.Load
	if c.Table {
		load.EventsPerSecond = 1
	}
	return load.Check()
}

// saveOnly says whether the figures are all that is asked for.
func (c *planCmd) saveOnly() bool { return c.Save != "" && c.EventsPerSecond == 0 && !c.Table }

func (c *planCmd) figures(ctx context.Context, progress io.Writer) (plan.Figures, error) {
	switch {
	case c.Measure:
		return c.measure(ctx, progress)
	case c.Figures != "":
		text, err := os.ReadFile(c.Figures)
		if err != nil {
			return plan.Figures{}, fmt.Errorf("--figures: %w", err)
		}
		figures, err := plan.Parse(text)
		if err != nil {
			return figures, fmt.Errorf("--figures %s: %w", c.Figures, err)
		}
		return figures, nil
	default:
		return plan.Default()
	}
}

func (c *planCmd) measure(ctx context.Context, progress io.Writer) (plan.Figures, error) {
	figures, err := measure.Run(ctx, measure.Config{Progress: progress})
	if ctx.Err() != nil {
		return figures, errors.New("the measurement was interrupted")
	}
	if err != nil || c.Save == "" {
		return figures, err
	}
	text, err := json.MarshalIndent(figures, "", "  ")
	if err != nil {
		return figures, fmt.Errorf("write the figures: %w", err)
	}
	if err := os.WriteFile(c.Save, append(text, '\n'), 0o600); err != nil {
		return figures, fmt.Errorf("--save: %w", err)
	}
	return figures, nil
}

func printed(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
