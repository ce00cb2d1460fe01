package gateway

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// refusalsEvery is how often refusals that followed one of their kind are summed up in a line.
	refusalsEvery = 10 * time.Second
	// refusalProjects bounds how many kinds of refusals are told apart by project at once.
	refusalProjects = 200
)

// refusals logs what was refused: the first of each kind at once, those that follow as one line for each ten seconds. Without
// bounds a client that repeats itself would fill the log. No line has anything of a request but its id.
//
// Safe for concurrent use.
type refusals struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[refusalKind]*refusalSum
}

// refusalKind is what one line is about.
type refusalKind struct {
	route   string
	status  int
	code    string
	project string // "" when it is not known, or of too many
}

// refusalSum is what came since the last line of the kind.
type refusalSum struct {
	requests, events int
	requestID        string // of the last of them
}

func newRefusals(log *slog.Logger) *refusals {
	return &refusals{log: log, kinds: map[refusalKind]*refusalSum{}}
}

// note logs the refusal of some events, 0 when they were not counted, or keeps it for the next sum.
func (r *refusals) note(kind refusalKind, events int, requestID []byte) {
	r.mu.Lock()
	sum := r.kinds[kind]
	if sum == nil && len(r.kinds) >= refusalProjects {
		kind.project = ""
		sum = r.kinds[kind]
	}
	first := sum == nil
	if first {
		sum = &refusalSum{}
		r.kinds[kind] = sum
	} else {
		sum.requests++
		sum.events += events
		sum.requestID = string(requestID)
	}
	r.mu.Unlock()
	if first {
		r.write(kind, refusalSum{1, events, string(requestID)})
	}
}

// run sums up until ctx ends.
func (r *refusals) run(ctx context.Context) {
	tick := time.NewTicker(refusalsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			r.sumUp()
		case <-ctx.Done():
			r.sumUp()
			return
		}
	}
}

// sumUp logs what came since the last time. A kind of which nothing came is forgotten: its next is logged at once.
func (r *refusals) sumUp() {
	sums := map[refusalKind]refusalSum{}
	r.mu.Lock()
	for kind, sum := range r.kinds {
		if sum.requests == 0 {
			delete(r.kinds, kind)
			continue
		}
		sums[kind] = *sum
		*sum = refusalSum{}
	}
	r.mu.Unlock()
	for kind, sum := range sums {
		r.write(kind, sum)
	}
}

func (r *refusals) write(kind refusalKind, sum refusalSum) {
	level := slog.LevelInfo
	if kind.status >= fasthttp.StatusInternalServerError {
		level = slog.LevelWarn
	}
	attrs := []slog.Attr{
		slog.String("route", kind.route), slog.Int("status", kind.status), slog.String("code", kind.code),
		slog.Int("requests", sum.requests), slog.String("request_id", sum.requestID),
	}
	if kind.project != "" {
		attrs = append(attrs, slog.String("project", kind.project))
	}
	if sum.events > 0 {
		attrs = append(attrs, slog.Int("events", sum.events))
	}
	r.log.LogAttrs(context.Background(), level, "requests refused", attrs...)
}
