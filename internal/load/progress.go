package load

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"sluice/internal/backoff"
)

// progress shows a waiting person the state of the run.
type progress struct {
	out   io.Writer
	bar   bool
	total int64 // events, or milliseconds for a run without a number of events
	timed bool
}

const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 5 * time.Second
)

// newProgress returns a progress that draws a bar on a terminal, writes lines elsewhere, and is silent with
// Config.JSON.
func newProgress(cfg Config, out io.Writer) *progress {
	p := &progress{out: out, total: int64(cfg.Events)}
	if cfg.JSON || out == nil {
		p.out = io.Discard
	}
	if f, ok := p.out.(*os.File); ok {
		p.bar = term.IsTerminal(int(f.Fd()))
	}
	if cfg.Events == 0 {
		p.timed, p.total = true, cfg.Duration.Milliseconds()
	}
	return p
}

// note writes a line.
func (p *progress) note(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...) // the run continues without a reader
}

// follow shows the growth of t until ctx ends.
func (p *progress) follow(ctx context.Context, t *tally) {
	if p.bar {
		p.draw(ctx, t)
		return
	}
	var last int64
	for backoff.Sleep(ctx, lineEvery) {
		now := t.report()
		p.note("%d acknowledged, %.0f events/s, p99 %.1f ms, %d retried", now.Accepted,
			float64(now.Accepted-last)/lineEvery.Seconds(), now.Latency.P99, now.Retried)
		last = now.Accepted
	}
}

func (p *progress) draw(ctx context.Context, t *tally) {
	bar := progressbar.NewOptions64(p.total, progressbar.OptionSetWriter(p.out), progressbar.OptionFullWidth(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
	for {
		now := t.report()
		done := now.Accepted
		if p.timed {
			done = time.Since(t.start).Milliseconds()
		}
		bar.Describe(fmt.Sprintf("%d acknowledged, %.0f/s, p99 %.1f ms", now.Accepted, now.EventsPerSecond,
			now.Latency.P99))
		_ = bar.Set64(min(done, p.total)) // fails only beyond the total
		if !backoff.Sleep(ctx, barEvery) {
			_ = bar.Finish()
			return
		}
	}
}
