package main

import (
	"context"
	"fmt"
	"io"

	"sluice/internal/kafkaconn"
	"sluice/internal/topics"
)

type topicsCmd struct {
	Kafka  kafkaconn.Config `embed:""`
	Topics topics.Config    `embed:""`

	Apply struct{} `cmd:"" help:"Make the topics that are missing and change those that differ. May be run again at any time."`
	Check struct{} `cmd:"" help:"Say how the topics differ from what they should be; exit 1 if they do."`
}

func (c topicsCmd) run(ctx context.Context, command string, out io.Writer) error {
	admin, closeAdmin, err := topics.New(c.Kafka, c.Topics, out)
	if err != nil {
		return err
	}
	defer closeAdmin()
	if command == "topics apply" {
		return admin.Apply(ctx)
	}
	differences, err := admin.Check(ctx)
	if err == nil && differences > 0 {
		err = fmt.Errorf("%d differences; `sluice topics apply` mends what can be mended", differences)
	}
	return err
}
