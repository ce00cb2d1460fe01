package process

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// repeatEvery is the window in which records with the same message are counted.
	repeatEvery = 10 * time.Second
	// repeatMost is how many records with the same message are logged in one window. A consumer of 12 partitions may
	// log one for each.
	repeatMost = 24
)

// repeats is a slog.Handler that sums up repeated records. It passes on the first repeatMost records of a level and
// message in each repeatEvery. It holds back the others, and logs only the last of them when the window ends. That
// record's attribute "repeated" tells how many records it stands for. DEBUG records are never summed up.
type repeats struct {
	slog.Handler
	seen *repeatTable
}

// repeatTable is the state that all handlers derived from one repeats share.
type repeatTable struct {
	mu   sync.Mutex
	runs map[repeatKey]*repeatRun
}

type repeatKey struct {
	level   slog.Level
	message string
}

// repeatRun counts the records of one key in one window.
type repeatRun struct {
	since  time.Time
	logged int
	held   int         // records held back
	last   slog.Record // the last record held back
	by     slog.Handler
}

func newRepeats(to slog.Handler) *repeats {
	return &repeats{Handler: to, seen: &repeatTable{runs: map[repeatKey]*repeatRun{}}}
}

// Handle logs a record or holds it back.
func (h *repeats) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo && h.seen.hold(h.Handler, r) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs derives a handler that counts together with this one.
func (h *repeats) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &repeats{Handler: h.Handler.WithAttrs(attrs), seen: h.seen}
}

// WithGroup derives a handler that counts together with this one.
func (h *repeats) WithGroup(name string) slog.Handler {
	return &repeats{Handler: h.Handler.WithGroup(name), seen: h.seen}
}

// hold counts a record and reports whether the caller must hold it back. Messages are constants, so the table stays
// small.
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

// run logs the sums as windows end. When ctx ends, it logs the rest and returns.
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

// sum ends the windows that began before now - repeatEvery, and logs what they held back. The zero time ends all
// windows.
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
			_ = run.by.Handle(context.Background(), run.last) // a failure of the log cannot be logged
		}
	}
}
