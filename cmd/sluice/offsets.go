package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"sluice/internal/kafkaconn"
	"sluice/internal/offsets"
	"sluice/internal/settings"
)

// offsetsCmd has the commands about the consumers' group.
type offsetsCmd struct {
	Kafka kafkaconn.Config `embed:""`
	Group string           `name:"kafka-group" default:"sluice" help:"The consumers' group."`

	Show struct {
		JSON bool `name:"json" help:"Print one JSON object a line."`
	} `cmd:"" help:"Print how far the group is: for each partition what it committed, the ends of the topic, and the lag."`
	Rewind struct {
		To     settings.Moment `name:"to" help:"Go back to the first record of this time: RFC 3339, or a duration such as 2h or 3d before now."`
		Oldest bool            `name:"oldest" help:"Go back to the oldest record that Kafka keeps."`
		DryRun bool            `name:"dry-run" help:"Print what would be read again; change nothing."`
	} `cmd:"" help:"Set the group back, while no consumer runs. What is in the table is not inserted again."`
	Wait struct {
		Timeout time.Duration `name:"timeout" default:"10m" help:"Give up after this time."`
	} `cmd:"" help:"Wait until the group has read everything that is on the topic now. Events that arrive later are not waited for."`
}

func (c *offsetsCmd) run(ctx context.Context, command string, out, progress io.Writer) error {
	group, closeGroup, err := offsets.New(c.Kafka, c.Group)
	if err != nil {
		return err
	}
	defer closeGroup()
	switch command {
	case "offsets show":
		return c.show(ctx, group, out)
	case "offsets wait":
		return c.wait(ctx, group, progress)
	default:
		return c.rewind(ctx, group, out)
	}
}

func (c *offsetsCmd) show(ctx context.Context, group *offsets.Group, out io.Writer) error {
	all, err := group.Partitions(ctx)
	if err != nil {
		return err
	}
	members, err := group.Members(ctx)
	if err != nil {
		return err
	}
	if c.Show.JSON {
		encoder := json.NewEncoder(out)
		for _, p := range all {
			if err := encoder.Encode(p); err != nil {
				return fmt.Errorf("print a partition: %w", err)
			}
		}
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "partition\tstart\tcommitted\tend\tlag\t")
	lag := int64(0)
	for _, p := range all {
		lag += p.Lag()
		_, _ = fmt.Fprintf(table, "%d\t%d\t%s\t%d\t%d\t\n", p.Number, p.Start, committed(p.At), p.End, p.Lag())
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the partitions: %w", err)
	}
	_, err = fmt.Fprintf(out, "%d consumers, lag %d\n", len(members), lag)
	return err
}

// committed prints an offset that may not exist.
func committed(offset int64) string {
	if offset < 0 {
		return "-"
	}
	return fmt.Sprint(offset)
}

// progressEvery is how often wait prints how much is left.
const progressEvery = 5 * time.Second

func (c *offsetsCmd) wait(ctx context.Context, group *offsets.Group, progress io.Writer) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Wait.Timeout, fmt.Errorf("gave up after %s", c.Wait.Timeout))
	defer cancel()
	var said time.Time
	return group.Wait(ctx, func(left int64) {
		if left > 0 && time.Since(said) >= progressEvery {
			said = time.Now()
			_, _ = fmt.Fprintf(progress, "%d records left\n", left)
		}
	})
}

func (c *offsetsCmd) rewind(ctx context.Context, group *offsets.Group, out io.Writer) error {
	r := &c.Rewind
	if r.To.IsZero() == !r.Oldest {
		return errors.New("say where to go back to: --to TIME or --oldest")
	}
	moves, err := group.Plan(ctx, r.To.Time)
	if err != nil {
		return err
	}
	if len(moves) == 0 {
		_, err := fmt.Fprintln(out, "no partition is past that point: nothing to do")
		return err
	}
	if !r.DryRun {
		if err := group.Rewind(ctx, moves); err != nil {
			return err
		}
	}
	records := int64(0)
	for _, m := range moves {
		records += m.Records()
		_, _ = fmt.Fprintf(out, "partition %d: from %d back to %d\n", m.Number, m.At, m.To)
	}
	done := "will be read again; start the consumers"
	if r.DryRun {
		done = "would be read again; a dry run changes nothing"
	}
	_, err = fmt.Fprintf(out, "%d records %s\n", records, done)
	return err
}
