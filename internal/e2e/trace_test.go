package e2e

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spanCollector is an OpenTelemetry collector that keeps all spans.
type spanCollector struct {
	url string

	mu    sync.Mutex
	spans []collected
	away  bool // answers 503
	asked int
}

// collected is a span, and the service that made it.
type collected struct {
	*otlp.Span
	service string
}

func newSpanCollector(t *testing.T) *spanCollector {
	t.Helper()
	c := &spanCollector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *spanCollector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	var request collector.ExportTraceServiceRequest
	switch {
	case c.away:
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	case err != nil, r.URL.Path != "/v1/traces", r.Header.Get("Authorization") != "Bearer of traces",
		proto.Unmarshal(body, &request) != nil:
		http.Error(w, "bad request", http.StatusBadRequest)
		return
	}
	for _, of := range request.GetResourceSpans() {
		service := ""
		for _, a := range of.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, collected{s, service})
			}
		}
	}
}

// trace returns the spans of a trace by name.
func (c *spanCollector) trace(id string) map[string]collected {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]collected{}
	for _, s := range c.spans {
		if hex.EncodeToString(s.GetTraceId()) == id {
			out[s.GetName()] = s
		}
	}
	return out
}

// span returns a span by its id.
func (c *spanCollector) span(id []byte) collected {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if string(s.GetSpanId()) == string(id) {
			return s
		}
	}
	return collected{}
}

// flags are the settings of a program that sends its traces to the collector.
func (c *spanCollector) flags(more ...string) []string {
	return append([]string{"--trace-endpoint", c.url, "--trace-headers", "Authorization=Bearer%20of%20traces"}, more...)
}

// TestTraceFromRequestToInsert: the spans of a traced request have one trace id, from the request to the insert, each the
// child of the one before. The batch has a trace of its own that links to the request, and back.
func TestTraceFromRequestToInsert(t *testing.T) {
	t.Parallel()
	p, c := newPipeline(t, 2), newSpanCollector(t)
	g := p.startGateway("127.0.0.1:0", c.flags("--trace-sample", "0")...)
	k := p.startConsumer(c.flags("--trace-sample", "0")...)

	const client, traced, untraced = "b7ad6b7169203331", "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"
	send := func(path, body, traceparent string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+key)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Traceparent", traceparent)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusAccepted, resp.StatusCode)
	}
	send("/api/v1/events", `{"message":"traced"}`, "00-"+traced+"-"+client+"-01")
	send("/api/v1/events", `{"message":"untraced"}`, "00-"+untraced+"-"+client+"-00")
	const bulk = "2af7651916cd43dd8448eb211c80319c"
	send("/api/v1/events/bulk", `[{"message":"one"},{"message":"two"},{"message":"three"}]`, "00-"+bulk+"-"+client+"-01")
	p.rows(5)
	// Both programs export their last spans when they stop.
	assert.Zero(t, g.term())
	assert.Zero(t, k.term())

	topic := p.name
	spans := c.trace(traced)
	chain := []struct{ name, service string }{
		{"POST /api/v1/events", "sluice-gateway"}, {"send " + topic, "sluice-gateway"},
		{"process " + topic, "sluice-consumer"}, {"INSERT events_raw", "sluice-consumer"},
	}
	parent, began := client, uint64(0)
	for _, want := range chain {
		s, ok := spans[want.name]
		require.True(t, ok, "no span %q among %v", want.name, spans)
		assert.Equal(t, want.service, s.service, want.name)
		assert.Equal(t, parent, hex.EncodeToString(s.GetParentSpanId()), want.name)
		assert.GreaterOrEqual(t, s.GetStartTimeUnixNano(), began, want.name)
		assert.LessOrEqual(t, s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano(), want.name)
		parent, began = hex.EncodeToString(s.GetSpanId()), s.GetStartTimeUnixNano()
	}
	fetch, ok := spans["fetch "+topic]
	require.True(t, ok)
	process := spans["process "+topic]
	assert.Equal(t, process.GetSpanId(), fetch.GetParentSpanId())

	require.Len(t, process.GetLinks(), 1)
	batch := c.span(process.GetLinks()[0].GetSpanId())
	require.NotNil(t, batch.Span, "the span of the batch")
	assert.NotEqual(t, traced, hex.EncodeToString(batch.GetTraceId()))
	linked := map[string]bool{}
	for _, l := range batch.GetLinks() {
		linked[hex.EncodeToString(l.GetTraceId())+hex.EncodeToString(l.GetSpanId())] = true
	}
	assert.True(t, linked[traced+hex.EncodeToString(spans["send "+topic].GetSpanId())], "links %v", linked)

	assert.Empty(t, c.trace(untraced))
	assert.Contains(t, c.trace(bulk), "POST /api/v1/events/bulk")
	assert.Contains(t, c.trace(bulk), "INSERT events_raw")
	// No span says anything that a client sent, nor the key.
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		text := s.String()
		for _, secret := range []string{key, "untraced", "three", "one"} {
			assert.NotContains(t, text, `"`+secret+`"`)
		}
	}
}

// TestTraceWithoutACollector: events pass while the collector is away, each program says so in one line, and both stop in
// time.
func TestTraceWithoutACollector(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 2)
	away := []string{"--trace-endpoint", "http://" + free(t), "--trace-sample", "1"}
	g := p.startGateway("127.0.0.1:0", append(away, "--drain-delay", "0s")...)
	k := p.startConsumer(away...)
	for range 100 {
		a := p.post("/api/v1/events", "application/json", `{"message":"not traced"}`)
		require.Equal(t, http.StatusAccepted, a.status)
	}
	p.rows(100)
	g.says("cannot export traces")
	k.says("cannot export traces")
	began := time.Now()
	assert.Zero(t, g.term())
	assert.Zero(t, k.term())
	assert.Less(t, time.Since(began), 30*time.Second)
	for _, program := range []*program{g, k} {
		assert.Equal(t, 1, strings.Count(program.output(), "cannot export traces"), program.output())
		assert.Equal(t, 1, strings.Count(program.output(), "the last traces are lost"), program.output())
	}
}
