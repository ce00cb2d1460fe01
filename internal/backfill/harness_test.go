package backfill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/event"
)

// gateway answers like the real one and keeps the first copy of each event.
type gateway struct {
	*httptest.Server
	// answer, if set, sees each request first, numbered from 1, and returns true if it answered.
	answer func(n int, w http.ResponseWriter, events []json.RawMessage) bool

	mu       sync.Mutex
	requests int
	events   map[string]string // by id, or by Idempotency-Key
	received int
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{events: map[string]string{}}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	var events []json.RawMessage
	if err := json.Unmarshal(body, &events); err != nil || r.URL.Path != "/api/v1/events/bulk" {
		http.Error(w, "no bulk", http.StatusNotFound)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests++
	if r.Header.Get("Authorization") != "Bearer k" {
		w.WriteHeader(401)
		return
	}
	if g.answer != nil && g.answer(g.requests, w, events) {
		return
	}
	g.keep(r.Header.Get("Idempotency-Key"), events)
	accept(w, len(events))
}

// locked runs fn while no request is served. A request whose client was stopped may be served later than its run.
func (g *gateway) locked(fn func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	fn()
}

// seen returns the counts of requests and events, and the events.
func (g *gateway) seen() (requests, received int, events map[string]string) {
	g.locked(func() { requests, received, events = g.requests, g.received, maps.Clone(g.events) })
	return requests, received, events
}

func (g *gateway) count() int {
	n, _, _ := g.seen()
	return n
}

func (g *gateway) copies() int {
	_, n, _ := g.seen()
	return n
}

func (g *gateway) kept() map[string]string {
	_, _, events := g.seen()
	return events
}

func (g *gateway) keep(key string, events []json.RawMessage) {
	for _, raw := range events {
		var e struct {
			ID string `json:"event_id"`
		}
		_ = json.Unmarshal(raw, &e)
		if e.ID == "" {
			e.ID = key
		}
		g.received++
		if _, ok := g.events[e.ID]; !ok {
			g.events[e.ID] = string(raw)
		}
	}
}

func accept(w http.ResponseWriter, n int) {
	w.WriteHeader(202)
	_, _ = fmt.Fprintf(w, `{"status":"accepted","accepted":%d,"duplicates":0,"rejected":0,"errors":[],"retry":[]}`, n)
}

// result is the outcome of a run.
type result struct {
	report        Report
	err           error
	out, progress string
}

// job is an import of one text.
type job struct {
	path    string
	gateway *gateway
	cfg     Config
	target  Target
}

func newJob(t *testing.T, text string) *job {
	t.Helper()
	j := &job{path: filepath.Join(t.TempDir(), "in.ndjson"), gateway: newGateway(t)}
	j.write(t, text)
	j.cfg.From = []string{j.path}
	j.target = Target{URL: j.gateway.URL, Key: "k", Bulk: 10, Connections: 2}
	return j
}

func (j *job) write(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(j.path, []byte(text), 0o600))
}

func (j *job) run(t *testing.T) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, progress bytes.Buffer
	report, err := New(j.cfg, j.target, nil, &out, &progress).Run(ctx)
	return result{report: report, err: err, out: out.String(), progress: progress.String()}
}

// imported runs a job that must succeed, and returns what became of the file.
func (j *job) imported(t *testing.T) File {
	t.Helper()
	r := j.run(t)
	require.NoError(t, r.err, r.out)
	require.Len(t, r.report.Files, 1)
	require.True(t, r.report.Files[0].Done || j.cfg.DryRun)
	return r.report.Files[0]
}

// sized returns an event of so many bytes, with or without an id.
func sized(size int, id bool) string {
	text := `{"message":"m","x":"`
	if id {
		text = `{"event_id":"0193b3c4-5d6e-7a7b-8c9d-0123456789ab","message":"m","x":"`
	}
	return text + string(bytes.Repeat([]byte("y"), size-len(text)-2)) + `"}`
}

var limit = event.MaxEventBytes
