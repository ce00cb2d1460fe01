package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sluice/internal/deadletters"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
)

// deadCmd has the commands about dead letters.
type deadCmd struct {
	Kafka kafkaconn.Config `embed:""`

	List struct {
		deadletters.Filter
		Limit int  `name:"limit" default:"100" help:"Most letters to print; 0: all. The count is of all in any case."`
		Count bool `name:"count" help:"Print only how many there are, by reason and project."`
		JSON  bool `name:"json" help:"Print one JSON object a line."`
	} `cmd:"" help:"List dead letters: where each is, when and why it died, where it came from."`
	Show struct {
		Place string `arg:"" help:"The place of the letter on the dead-letter topic, PARTITION:OFFSET, as list prints it."`
	} `cmd:"" help:"Print one dead letter whole: its reason, headers and value."`
	Replay struct {
		deadletters.Filter
		All    bool          `name:"all" help:"Replay every dead letter. Without a filter this is needed."`
		DryRun bool          `name:"dry-run" help:"Print what would be replayed; write nothing."`
		Rate   int           `name:"rate" default:"1000" help:"Most letters a second; 0: no limit."`
		Wait   time.Duration `name:"wait" default:"1m" help:"How long to wait for the consumers, to report letters that died again; 0: not at all."`
		Group  string        `name:"kafka-group" default:"sluice" help:"The consumers' group, whose progress is waited for."`
	} `cmd:"" help:"Put dead letters back on the topic of the events. Ids stay the same: what is replayed twice is one row."`
}

func (c *deadCmd) run(ctx context.Context, command string, out, progress io.Writer) error {
	desk, closeDesk, err := deadletters.New(c.Kafka)
	if err != nil {
		return err
	}
	defer closeDesk()
	switch {
	case strings.HasPrefix(command, "dead list"):
		return c.list(ctx, desk, out)
	case strings.HasPrefix(command, "dead show"):
		return c.show(ctx, desk, out)
	default:
		return c.replay(ctx, desk, out, progress)
	}
}

// list prints the letters that the filter means.
func (c *deadCmd) list(ctx context.Context, desk *deadletters.Desk, out io.Writer) error {
	if err := c.List.Check(); err != nil {
		return err
	}
	counts := tallies{}
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	encoder := json.NewEncoder(out)
	n := 0
	for l, err := range desk.Letters(ctx, &c.List.Filter) {
		if err != nil {
			return err
		}
		counts.add(&l)
		if n++; c.List.Count || c.List.Limit > 0 && n > c.List.Limit {
			continue
		}
		if c.List.JSON {
			if err := encoder.Encode(l); err != nil {
				return fmt.Errorf("print a letter: %w", err)
			}
			continue
		}
		if n == 1 {
			_, _ = fmt.Fprintln(table, "PLACE\tAT\tREASON\tPROJECT\tEVENT\tFROM\tERROR")
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s %s\t%s\n", l.Place, l.At.Format(time.DateTime), l.Reason,
			printable(l.Project, 64), printable(l.EventID, 36), printable(l.Topic, 64), l.From, printable(l.Error, 120))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the letters: %w", err)
	}
	if c.List.JSON && !c.List.Count {
		return nil
	}
	if !c.List.Count && c.List.Limit > 0 && n > c.List.Limit {
		_, _ = fmt.Fprintf(out, "and %d more; --limit 0 prints all\n", n-c.List.Limit)
	}
	return counts.print(out)
}

// show prints one letter.
func (c *deadCmd) show(ctx context.Context, desk *deadletters.Desk, out io.Writer) error {
	f := deadletters.Filter{At: []string{c.Show.Place}}
	if err := f.Check(); err != nil {
		return err
	}
	for l, err := range desk.Letters(ctx, &f) {
		if err != nil {
			return err
		}
		return showLetter(out, &l)
	}
	return fmt.Errorf("there is no dead letter at %s; list prints the places of those there are", c.Show.Place)
}

func showLetter(out io.Writer, l *deadletters.Letter) error {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	row := func(name, value string) { _, _ = fmt.Fprintf(table, "%s\t%s\n", name, value) }
	row("place", l.Place.String())
	row("died at", l.At.Format(time.RFC3339))
	row("reason", l.Reason)
	row("error", printable(l.Error, 1<<10))
	row("came from", l.Topic+" "+l.From.String())
	for _, h := range l.Headers {
		row("header "+printable(h.Key, 100), printable(string(h.Value), 1<<10))
	}
	if l.Key != nil {
		row("key", printable(string(l.Key), 1<<10))
	}
	switch {
	case l.Value == nil:
		row("value", "none")
	default:
		row("value", fmt.Sprintf("%d bytes", len(l.Value)))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the letter: %w", err)
	}
	if _, err := fmt.Fprintf(out, "%s\n", printable(string(l.Value), len(l.Value))); err != nil {
		return fmt.Errorf("print the letter: %w", err)
	}
	return nil
}

// replay replays the letters that the filter means, and reports what became of them.
func (c *deadCmd) replay(ctx context.Context, desk *deadletters.Desk, out, progress io.Writer) error {
	r := &c.Replay
	if r.IsZero() && !r.All {
		return errors.New("say which letters to replay: --reason, --project, --since, --until, --at, --from, or --all")
	}
	if err := r.Check(); err != nil {
		return err
	}
	if r.Rate < 0 {
		return errors.New("--rate: must not be negative; 0 is no limit")
	}
	counts := tallies{}
	if r.DryRun {
		for l, err := range desk.Letters(ctx, &r.Filter) {
			if err != nil {
				return err
			}
			counts.add(&l)
		}
		_, _ = fmt.Fprintln(out, "would be replayed:")
		return counts.print(out)
	}
	all, err := desk.Count(ctx)
	if err != nil {
		return err
	}
	run, err := desk.NewReplay(ctx, r.Rate)
	if err != nil {
		return err
	}
	shown, read := time.Now(), 0
	for l, err := range desk.Letters(ctx, &deadletters.Filter{}) {
		if read++; time.Since(shown) > time.Second {
			shown = time.Now()
			_, _ = fmt.Fprintf(progress, "%d of %d letters read, %d replayed\n", read, all, run.Written())
		}
		if err == nil && !r.Matches(&l) {
			continue
		}
		if err == nil {
			err = run.Add(ctx, l)
		}
		if err != nil {
			return fmt.Errorf("after %d letters: %w; to replay them again changes nothing", run.Written(), err)
		}
		counts.add(&l)
	}
	if err := run.Flush(ctx); err != nil {
		return fmt.Errorf("after %d letters: %w", run.Written(), err)
	}
	_, _ = fmt.Fprintln(out, "replayed:")
	if err := counts.print(out); err != nil || run.Written() == 0 || r.Wait <= 0 {
		return err
	}
	return reportFate(ctx, run, r.Group, r.Wait, out, progress)
}

// reportFate waits for the consumers and lists what died again, or was not reached.
func reportFate(
	ctx context.Context, run *deadletters.Replay, group string, wait time.Duration, out, progress io.Writer,
) error {
	_, _ = fmt.Fprintf(progress, "waiting up to %s for the consumers of group %s\n", wait, group)
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	fate, err := run.Fate(waiting, group)
	if err != nil {
		return err
	}
	again := tallies{}
	for i := range fate.Again {
		again.add(&fate.Again[i])
	}
	_, _ = fmt.Fprintf(out, "consumed: %d, died again: %d\n", run.Written()-fate.Waiting, len(fate.Again))
	if len(fate.Again) > 0 {
		if err := again.print(out); err != nil {
			return err
		}
	}
	switch {
	case fate.Waiting > 0:
		return fmt.Errorf("%d letters were replayed, and the consumers have not come to them within %s; "+
			"`sluice dead list --since %s` shows later which died again", fate.Waiting, wait, wait)
	case len(fate.Again) > 0:
		return process.ErrReported
	}
	return nil
}

// tallies count letters by reason and project.
type tallies map[[2]string]int

func (t tallies) add(l *deadletters.Letter) { t[[2]string{l.Reason, l.Project}]++ }

func (t tallies) print(out io.Writer) error {
	keys := make([][2]string, 0, len(t))
	sum := 0
	for k, n := range t {
		keys = append(keys, k)
		sum += n
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return strings.Compare(a[0]+"\x00"+a[1], b[0]+"\x00"+b[1]) })
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, k := range keys {
		_, _ = fmt.Fprintf(table, "%d\t%s\t%s\n", t[k], printable(k[0], 64), printable(k[1], 64))
	}
	_, _ = fmt.Fprintf(table, "%d\tletters\n", sum)
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print the counts: %w", err)
	}
	return nil
}

// printable makes a stranger's text safe for a terminal: at most a number of bytes, on one line, without control
// characters.
func printable(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F || r >= 0x80 && r < 0xA0 {
			return '\uFFFD'
		}
		return r
	}, text)
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
