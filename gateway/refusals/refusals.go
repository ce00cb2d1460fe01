// Package refusals logs refused requests without flooding the log.
//
// The first refusal of a kind is logged at once. Those that follow share one line for each ten seconds. No line holds
// anything of a request but its id.
package refusals

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	// interval is how often the refusals that followed the first of their kind are logged.
	interval = 10 * time.Second
	// maxKinds bounds how many kinds are kept apart by project. Further projects share their kinds.
	maxKinds = 200
)

// Log is safe for concurrent use.
type Log struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[Kind]*sum
}

// Kind is what one line is about.
type Kind struct {
	Route   string
	Status  int
	Code    string
	Project string // "": not known, or one of too many
}

// sum counts what came since the last line of a kind.
type sum struct {
	requests, events int
	requestID        string // of the last request
}

// New returns a Log that writes to log.
func New(log *slog.Logger) *Log { return &Log{log: log, kinds: map[Kind]*sum{}} }

// Note logs the refusal of a request, or keeps it for the next sum. events is how many of its events were refused; 0 if
// nobody counted them.
func (l *Log) Note(kind Kind, events int, requestID []byte) {
	l.mu.Lock()
	kept := l.kinds[kind]
	if kept == nil && len(l.kinds) >= maxKinds {
		kind.Project = ""
		kept = l.kinds[kind]
	}
	first := kept == nil
	if first {
		l.kinds[kind] = &sum{}
	} else {
		kept.requests++
		kept.events += events
		kept.requestID = string(requestID)
	}
	l.mu.Unlock()
	if first {
		l.write(kind, sum{1, events, string(requestID)})
	}
}

// Run logs the sums until ctx ends.
func (l *Log) Run(ctx context.Context) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.writeSums()
		case <-ctx.Done():
			l.writeSums()
			return
		}
	}
}

// writeSums logs what came since its last call. It forgets the kinds of which nothing came: their next refusal is
// logged at once.
func (l *Log) writeSums() {
	sums := map[Kind]sum{}
	l.mu.Lock()
	for kind, kept := range l.kinds {
		if kept.requests == 0 {
			delete(l.kinds, kind)
			continue
		}
		sums[kind] = *kept
		*kept = sum{}
	}
	l.mu.Unlock()
	for kind, s := range sums {
		l.write(kind, s)
	}
}

func (l *Log) write(kind Kind, s sum) {
	level := slog.LevelInfo
	if kind.Status >= http.StatusInternalServerError {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("route", kind.Route), slog.Int("status", kind.Status), slog.String("code", kind.Code),
		slog.Int("requests", s.requests), slog.String("request_id", s.requestID),
	}
	if kind.Project != "" {
		attrs = append(attrs, slog.String("project", kind.Project))
	}
	if s.events > 0 {
		attrs = append(attrs, slog.Int("events", s.events))
	}
	l.log.LogAttrs(context.Background(), level, "requests refused", attrs...)
}
