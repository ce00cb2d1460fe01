package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
	"sluice/internal/topics"
)

type topicsCmd struct {
	Kafka  kafkaconn.Config `embed:""`
	Topics topics.Config    `embed:""`

	Apply struct {
		topics.Change
	} `cmd:"" help:"Create the missing topics. Change existing topics only where a flag is given. Safe to repeat."`
	Check struct{} `cmd:"" help:"Print every fault of the topics and every difference from the flags; exit 1 if there are any."`
}

func (c topicsCmd) run(ctx context.Context, command string, given map[string]settings.Origin, out io.Writer) error {
	flags := append([]string{}, slices.Sorted(maps.Keys(given))...)
	admin, closeAdmin, err := topics.NewGiven(c.Kafka, c.Topics, c.Apply.Change, flags, out)
	if err != nil {
		return err
	}
	defer closeAdmin()
	if command == "topics apply" {
		return admin.Apply(ctx)
	}
	differences, err := admin.Check(ctx)
	if err == nil && differences > 0 {
		err = fmt.Errorf("%d faults; `sluice topics apply` with the right flags, or with --fix, corrects most faults",
			differences)
	}
	return err
}
