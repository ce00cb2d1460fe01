package e2e

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/tracing/tracingtest"
)

// traceFlags are the settings of a program that sends its traces to the collector.
func traceFlags(c *tracingtest.Collector) []string {
	return []string{"--trace-endpoint", c.URL, "--trace-headers", "Authorization=Bearer%20of%20traces", "--trace-sample", "0"}
}

// TestTraceFromRequestToInsert: the spans of a traced request have one trace id, from the request to the insert, each the
// child of the one before. The batch has a trace of its own that links to the request, and back.
func TestTraceFromRequestToInsert(t *testing.T) {
	t.Parallel()
	p, c := newPipeline(t, 2), tracingtest.NewCollector(t)
	g := p.startGateway("127.0.0.1:0", traceFlags(c)...)
	k := p.startConsumer(traceFlags(c)...)

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

	assert.Equal(t, "Bearer of traces", c.Header("Authorization"))

	topic := p.name
	spans := c.Trace(traced)
	parent, began := client, uint64(0)
	for _, want := range []struct{ name, service string }{
		{"POST /api/v1/events", "sluice-gateway"}, {"send " + topic, "sluice-gateway"},
		{"process " + topic, "sluice-consumer"}, {"INSERT events_raw", "sluice-consumer"},
	} {
		s, ok := spans[want.name]
		require.True(t, ok, "no span %q among %v", want.name, spans)
		assert.Equal(t, want.service, s.Service, want.name)
		assert.Equal(t, parent, s.Parent(), want.name)
		assert.GreaterOrEqual(t, s.GetStartTimeUnixNano(), began, want.name)
		assert.LessOrEqual(t, s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano(), want.name)
		parent, began = s.ID(), s.GetStartTimeUnixNano()
	}
	process := spans["process "+topic]
	assert.Equal(t, process.ID(), spans["fetch "+topic].Parent())

	require.Len(t, process.GetLinks(), 1)
	var batch tracingtest.Span
	links := ""
	for _, s := range c.Spans() {
		if string(s.GetSpanId()) == string(process.GetLinks()[0].GetSpanId()) {
			batch = s
		}
	}
	require.NotNil(t, batch.Span, "the span of the batch")
	assert.NotEqual(t, traced, batch.Trace())
	for _, l := range batch.GetLinks() {
		links += hex.EncodeToString(l.GetSpanId()) + " "
	}
	assert.Contains(t, links, spans["send "+topic].ID())

	assert.Empty(t, c.Trace(untraced))
	assert.Contains(t, c.Trace(bulk), "POST /api/v1/events/bulk")
	assert.Contains(t, c.Trace(bulk), "INSERT events_raw")
	// No span says anything that a client sent, nor the key.
	for _, s := range c.Spans() {
		for _, secret := range []string{key, "untraced", "three", "one"} {
			assert.NotContains(t, s.String(), `"`+secret+`"`)
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
