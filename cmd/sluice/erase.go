package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sluice/consumer/erase"
	"sluice/gateway/scrub"
	"sluice/internal/erasure"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
)

// eraseCmd erases a user's or a project's events.
type eraseCmd struct {
	Kafka kafkaconn.Config `embed:""`
	erase.Config
	DryRun   bool   `name:"dry-run" help:"Count what would be erased; change nothing."`
	Yes      bool   `name:"yes" help:"Do not ask before a user is erased."`
	Confirm  string `name:"confirm" placeholder:"PROJECT" help:"Do not ask before a whole project is erased: its name once more."`
	Receipt  string `name:"receipt" placeholder:"FILE" help:"Write the receipt into this file: what is gone, and what remains where until when."`
	Again    string `name:"check" placeholder:"FILE" help:"Erase nothing: look whether all that this receipt promised is gone. Exit 1 if not, 2 if that cannot be checked."`
	SpoolDir string `name:"rewrite-spool" placeholder:"DIR" help:"Rewrite the spool of a stopped gateway in this directory, and nothing else. It needs neither Kafka nor ClickHouse."`
	JSON     bool   `name:"json" help:"Print the receipt, or what --dry-run and --check find, as JSON."`
}

func (c *eraseCmd) run(ctx context.Context, in io.Reader, out, progress io.Writer) error {
	if c.Again != "" {
		err := c.check(ctx, out, progress)
		if err != nil && !errors.Is(err, process.ErrReported) {
			return process.ExitWith(exitCannotCheck, err)
		}
		return err
	}
	if err := c.Config.Check(); err != nil {
		return err
	}
	if c.SpoolDir != "" {
		return c.rewriteSpool(ctx, in, out, progress)
	}
	e, err := erase.New(c.Config, c.Kafka, progress)
	if err != nil {
		return err
	}
	defer e.Close()
	found, err := e.Find(ctx)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.printFound(found, out)
	}
	if err := c.confirm(in, progress, fmt.Sprintf("%d rows and %d dead letters are there now, and what else is on Kafka "+
		"will be dropped.", found.Rows, found.DeadLetters)); err != nil {
		return err
	}
	receipt, err := e.Erase(ctx)
	if err != nil {
		return err
	}
	if c.Receipt != "" {
		if err := receipt.Write(c.Receipt); err != nil {
			return errors.Join(err, receipt.WriteJSON(out)) // it is made once
		}
	}
	if c.JSON {
		return receipt.WriteJSON(out)
	}
	return receipt.WriteText(out)
}

func (c *eraseCmd) printFound(found erase.Found, out io.Writer) error {
	if c.JSON {
		if err := json.NewEncoder(out).Encode(found); err != nil {
			return fmt.Errorf("print the counts: %w", err)
		}
		return nil
	}
	_, err := fmt.Fprintf(out, "would be erased:\n%d\trows of events, resends among them\n%d\trows of counts\n"+
		"%d\tdead letters\n", found.Rows, found.Counts, found.DeadLetters)
	return err
}

// errNotConfirmed says that nobody agreed.
var errNotConfirmed = errors.New("nothing was erased")

// confirm asks, unless a flag has answered already.
func (c *eraseCmd) confirm(in io.Reader, ask io.Writer, what string) error {
	whom, want, flag := "the user of project "+c.Project, "yes", "--yes"
	if c.WholeProject() {
		whom, want, flag = "ALL events of the project "+c.Project, c.Project, "--confirm "+c.Project
		if c.Yes {
			return fmt.Errorf("--yes does not erase a whole project: add %s, or --user or --email: %w", flag, errNotConfirmed)
		}
		if c.Confirm != "" && c.Confirm != c.Project {
			return fmt.Errorf("--confirm: it is not the name of the project: %w", errNotConfirmed)
		}
	}
	if c.WholeProject() && c.Confirm == c.Project || !c.WholeProject() && c.Yes {
		return nil
	}
	_, _ = fmt.Fprintf(ask, "This erases %s for good. %s\nType %s to go on: ", whom, what, want)
	line, _ := bufio.NewReader(io.LimitReader(in, 1<<10)).ReadString('\n')
	if strings.TrimSpace(line) != want {
		return fmt.Errorf("not confirmed (%s answers beforehand): %w", flag, errNotConfirmed)
	}
	return nil
}

// check looks whether all that a receipt promised is gone.
func (c *eraseCmd) check(ctx context.Context, out, progress io.Writer) error {
	receipt, err := erase.Read(c.Again)
	if err != nil {
		return err
	}
	e, err := erase.NewChecker(c.Config, c.Kafka, receipt, progress)
	if err != nil {
		return err
	}
	defer e.Close()
	report, err := e.Check(ctx, receipt)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(out).Encode(report)
	} else {
		err = report.WriteText(out)
	}
	if err == nil && !report.Gone() {
		err = process.ErrReported
	}
	return err
}

// rewriteSpool rewrites the spool of a stopped gateway.
func (c *eraseCmd) rewriteSpool(ctx context.Context, in io.Reader, out, progress io.Writer) error {
	if c.DryRun || c.Receipt != "" {
		return errors.New("--rewrite-spool: neither --dry-run nor --receipt goes with it")
	}
	if err := c.confirm(in, progress, "In the spool "+c.SpoolDir+" only."); err != nil {
		return err
	}
	matcher := erasure.NewMatcher(erasure.NewList(c.MarksAt(time.Now(), erasure.NewSalt())))
	said := time.Now()
	result, err := scrub.Run(ctx, c.SpoolDir, matcher.Covers, func(records int64) {
		if time.Since(said) > time.Second {
			said = time.Now()
			_, _ = fmt.Fprintf(progress, "%d records rewritten\n", records)
		}
	})
	if err != nil {
		return fmt.Errorf("after %d records: %w; run it again", result.Erased+result.Kept, err)
	}
	if c.JSON {
		err = json.NewEncoder(out).Encode(result)
	} else {
		_, err = fmt.Fprintf(out, "%d records erased from the spool, %d kept\n", result.Erased, result.Kept)
	}
	if err == nil && len(result.Damaged) > 0 {
		return fmt.Errorf("nobody can read all of these files, and they may hold erased events: delete them, or keep them "+
			"until you have looked: %s", strings.Join(result.Damaged, ", "))
	}
	return err
}
