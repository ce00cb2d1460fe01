package process

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// repeatEvery is the time over which lines with the same message are counted.
	repeatEvery = 10 * time.Second
	// repeatMost is how many lines with the same message are logged in that time. A consumer of 12 partitions may say something
	// of each of them.
	repeatMost = 24
)

// repeats passes log records on and sums up those that repeat. Of the records with the same level and message, the first
// repeatMost in repeatEvery are logged as they are. Of the others only the last one is logged, at the end of that time, with the
// attribute "repeated", which says how many it stands for. DEBUG records are never summed up.
type repeats struct {
	slog.Handler
	seen *repeatTable
}

// repeatTable is what the handlers derived from one repeats share.
type repeatTable struct {
	mu   sync.Mutex
	runs map[repeatKey]*repeatRun
}

type repeatKey struct {
	level   slog.Level
	message string
}

// repeatRun is the records of one key within one repeatEvery.
type repeatRun struct {
	since  time.Time
	logged int
	held   int         // records that were not logged
	last   slog.Record // of those
	by     slog.Handler
}

func newRepeats(to slog.Handler) *repeats {
	return &repeats{Handler: to, seen: &repeatTable{runs: map[repeatKey]*repeatRun{}}}
}

// Handle logs a record, or holds it back as a repetition.
func (h *repeats) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && h.seen.hold(h.Handler, r) {
		return nil
	}
	return h.Handler.Handle(ctx, r) //nolint:wrapcheck // slog's own contract
}

// WithAttrs and WithGroup derive handlers that count together with this one.
func (h *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeats{Handler: h.Handler.WithAttrs(attrs), seen: h.seen}
}

// WithGroup is described at WithAttrs.
func (h *repeats) WithGroup(name string) slog.Handler {
	return &repeats{Handler: h.Handler.WithGroup(name), seen: h.seen}
}

// hold counts a record and reports whether it is held back. Messages are constants, so the table stays small.
func (t *repeatTable) hold(by slog.Handler, r slog.Record) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := repeatKey{r.Level, r.Message}
	run := t.runs[key]
	if run == nil {
		run = &repeatRun{since: time.Now()}
		t.runs[key] = run
	}
	if run.logged < repeatMost {
		run.logged++
		return false
	}
	run.held, run.last, run.by = run.held+1, r.Clone(), by
	return true
}

// run logs the sums until ctx ends, and then those that are left.
func (t *repeatTable) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			t.sum(time.Time{})
			return
		case now := <-tick.C:
			t.sum(now)
		}
	}
}

// sum ends the runs that are older than repeatEvery at a time, or all for the zero time, and logs what they held back.
func (t *repeatTable) sum(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, run := range t.runs {
		if !now.IsZero() && now.Sub(run.since) < repeatEvery {
			continue
		}
		delete(t.runs, key)
		if run.held > 0 {
			run.last.AddAttrs(slog.Int("repeated", run.held))
			_ = run.by.Handle(context.Background(), run.last) // the log has nobody to tell of its own failure
		}
	}
}
