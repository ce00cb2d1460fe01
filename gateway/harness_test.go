package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"sluice/gateway/broker/brokertest"
	"sluice/gateway/ingest"
	"sluice/gateway/projects"
)

const testKey = "test-key"

// clock stands still until a test moves it.
type clock struct {
	mu     sync.Mutex
	t      time.Time
	passed time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// elapsed returns how far the clock was advanced. It is the monotonic clock of the test.
func (c *clock) elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passed
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
	c.passed += d
}

// served is a gateway under test.
type served struct {
	*Gateway
	t        *testing.T
	url      string
	producer *brokertest.Memory
	clock    *clock
	registry *prometheus.Registry
	stop     func() error
}

type option func(*Config, *Deps)

// withProjects gives the gateway a projects file with this text.
func withProjects(t *testing.T, text string) option {
	t.Helper()
	path := filepath.Join(t.TempDir(), "projects.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *Config, d *Deps) { c.ProjectsFile, d.Projects = path, nil }
}

// limited returns a projects file with one project and its limit.
func limited(events int, window string) string {
	return fmt.Sprintf("projects:\n  - id: demo\n    keys: [{name: test, sha256: %q}]\n    limit: {events: %d, window: %s}\n", hash(testKey), events, window)
}

func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// serve starts a gateway over a producer in memory, and stops it when the test ends.
func serve(t *testing.T, options ...option) *served {
	t.Helper()
	s := &served{t: t, producer: &brokertest.Memory{}, registry: prometheus.NewRegistry(), clock: &clock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}}
	cfg := Config{
		HTTPAddr: "127.0.0.1:0", RequestTimeout: 30 * time.Second, HTTPIdleTimeout: time.Minute,
		MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10, MaxInflightBytes: 64 << 20, PartitionBy: "none", KafkaCompression: "lz4",
	}
	deps := Deps{
		Metrics: s.registry, Log: slog.New(slog.DiscardHandler), DrainTimeout: 10 * time.Second,
		Projects: projects.One("demo", testKey), Producer: s.producer, Now: s.clock.now, Uptime: s.clock.elapsed,
	}
	for _, o := range options {
		o(&cfg, &deps)
	}
	g, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Listen()
	if err != nil {
		t.Fatal(err)
	}
	s.Gateway, s.url = g, "http://"+l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx, l) }()
	var once sync.Once
	var result error
	s.stop = func() error {
		once.Do(func() {
			cancel()
			result = <-done
			http.DefaultClient.CloseIdleConnections()
		})
		return result
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	waitUntil(t, func() bool { return g.publisher.Partitions() > 0 })
	return s
}

// waitUntil waits until a condition holds, for a minute at most.
func waitUntil(t testing.TB, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the condition did not come true in a minute")
		}
	}
}

// reply is an answer after it was read.
type reply struct {
	status int
	header http.Header
	text   string
	body   answerFields
}

// answerFields are the fields of all answers.
type answerFields struct {
	Status     any                `json:"status"`
	EventID    string             `json:"event_id"`
	Error      string             `json:"error"`
	Code       string             `json:"code"`
	Retryable  *bool              `json:"retryable"`
	RequestID  string             `json:"request_id"`
	Field      string             `json:"field"`
	Limit      string             `json:"limit"`
	Accepted   int                `json:"accepted"`
	Duplicates int                `json:"duplicates"`
	Rejected   int                `json:"rejected"`
	Errors     []ingest.ErrorBody `json:"errors"`
	Retry      [][2]int           `json:"retry"`
	EventIDs   []*string          `json:"event_ids"`
}

// request is a request that a test sends.
type request struct {
	method, path, body string
	header             map[string]string
	chunked            bool
	noKey              bool
}

func (s *served) do(r request) reply {
	s.t.Helper()
	method := r.method
	if method == "" {
		method = http.MethodPost
	}
	var body io.Reader = strings.NewReader(r.body)
	if r.chunked {
		body = io.MultiReader(body) // hides the length
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+r.path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if !r.noKey {
		req.Header.Set("Authorization", "Bearer "+testKey)
	}
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, r.path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	// The answers of other protocols have fields of the same names and other types, or are no JSON.
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && len(bytes.TrimSpace(text)) > 0 {
		if err := json.Unmarshal(text, &out.body); err != nil && !json.Valid(text) {
			s.t.Fatalf("the answer is not JSON: %q", text)
		}
	}
	return out
}

func (s *served) single(body string) reply {
	s.t.Helper()
	return s.do(request{path: pathEvents, body: body})
}
func (s *served) bulkOf(body string) reply {
	s.t.Helper()
	return s.do(request{path: pathBulk, body: body})
}

// counter returns the value of a metric. If label is set, it adds up the series that have a label of this value.
func (s *served) counter(name, label string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			is := func(l *dto.LabelPair) bool { return l.GetValue() == label }
			if f.GetName() == name && (label == "" || slices.ContainsFunc(m.GetLabel(), is)) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// events returns a JSON array of n events. If edit returns a text, that is the i-th event.
func events(n int, edit func(i int) string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`{"message":"event %d"}`, i)
		if edit != nil {
			if text := edit(i); text != "" {
				parts[i] = text
			}
		}
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// sleep waits and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
