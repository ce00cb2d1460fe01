package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sluice/consumer/clickhouse"
	"sluice/consumer/columns"
	"sluice/consumer/columns/column"
)

// columnsCmd has the commands about custom columns.
type columnsCmd struct {
	Add struct {
		Name       string `arg:"" help:"Name of the column."`
		Type       string `arg:"" help:"Type of the column, such as LowCardinality(String), Int64 or Nullable(Float64). An unknown one lists all."`
		From       string `arg:"" help:"The word from."`
		Path       string `arg:"" help:"Path to the value in the payload, such as contexts.account.plan. Quote odd keys: a.\"b.c\"; [0] is the first element of an array."`
		NoBackfill bool   `name:"no-backfill" help:"Leave the parts that are there as they are. ClickHouse computes the column from their payload whenever it reads them."`
		DryRun     bool   `name:"dry-run" help:"Print the statements without running them."`
		JSON       bool   `name:"json" help:"Print the column as JSON."`
	} `cmd:"" help:"Add a column to events whose values come from the payload: add plan 'LowCardinality(String)' from contexts.account.plan."`
	List struct {
		JSON bool `name:"json" help:"Print one JSON object a line."`
	} `cmd:"" help:"List the custom columns: name, type, path, and in how many parts they are stored."`
	Backfill struct {
		Name string `arg:"" help:"Name of the column."`
		JSON bool   `name:"json" help:"Print the column as JSON."`
	} `cmd:"" help:"Write a column into old parts, where add did not or was interrupted."`
	Remove struct {
		Name   string `arg:"" help:"Name of the column."`
		DryRun bool   `name:"dry-run" help:"Print the statements without running them."`
		JSON   bool   `name:"json" help:"Print the result as JSON."`
	} `cmd:"" help:"Remove a custom column. The payload keeps the values."`
}

func (c *columnsCmd) run(ctx context.Context, command string, cfg clickhouse.Config, out, progress io.Writer) error {
	if err := cfg.Check(); err != nil {
		return err
	}
	manager := func(json bool) *columns.Manager { return columns.New(cfg, out, progress, json) }
	switch strings.Fields(command)[1] {
	case "add":
		if !strings.EqualFold(c.Add.From, "from") {
			return fmt.Errorf("%.64q: write consumer columns add NAME TYPE from PATH", c.Add.From)
		}
		one, err := column.New(c.Add.Name, c.Add.Type, c.Add.Path)
		if err != nil {
			return err
		}
		if c.Add.DryRun && c.Add.JSON {
			return errors.New("--dry-run prints SQL: leave --json out")
		}
		how := columns.AddOptions{DryRun: c.Add.DryRun, NoBackfill: c.Add.NoBackfill}
		return manager(c.Add.JSON).Add(ctx, one, how)
	case "list":
		return manager(c.List.JSON).List(ctx)
	case "backfill":
		return manager(c.Backfill.JSON).Backfill(ctx, c.Backfill.Name)
	default:
		return manager(c.Remove.JSON).Remove(ctx, c.Remove.Name, c.Remove.DryRun)
	}
}
