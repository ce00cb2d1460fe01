package gateway

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker/brokertest"
	"sluice/internal/tracing/tracingtest"
)

// withTracing makes the gateway trace: requests without a traceparent if sample is 1.
func withTracing(c *tracingtest.Collector, sample float64) option {
	return func(_ *Config, d *Deps) { d.Trace, d.Kafka.Topic = c.Config(sample), "events" }
}

const (
	traceID       = "4bf92f3577b34da6a3ce929d0e0e4736"
	clientParent  = "00-" + traceID + "-00f067aa0ba902b7-01"
	clientNoTrace = "00-" + traceID + "-00f067aa0ba902b7-00"
)

// The records of a traced request have the traceparent of the span that published them. Others lose the sampled flag,
// also beyond the bound, so that the consumer does not trace them.
func TestTraceOfARequest(t *testing.T) {
	t.Parallel()
	c := tracingtest.NewCollector(t)
	s := serve(t, withTracing(c, 0), func(_ *Config, d *Deps) { d.Trace.PerSecond = 1 })
	send := func(parent string) string {
		t.Helper()
		header := map[string]string{"X-Request-Id": "client-bytes"}
		if parent != "" {
			header["Traceparent"] = parent
		}
		got := s.do(request{path: pathBulk, body: `[{"message":"client bytes"},{"message":"b"},{}]`, header: header})
		require.Equal(t, http.StatusAccepted, got.status)
		stored := s.producer.Stored()
		return headerOf(stored[len(stored)-1], "traceparent")
	}
	traced := send(clientParent)
	assert.Equal(t, clientNoTrace, send(clientParent), "beyond the bound")
	assert.Equal(t, clientNoTrace, send(clientNoTrace))
	assert.Empty(t, send(""))
	require.NoError(t, s.stop())

	require.Len(t, c.Spans(), 2)
	spans := c.Trace(traceID)
	server, publish := spans["POST /api/v1/events/bulk"], spans["send events"]
	assert.Equal(t, "00f067aa0ba902b7", server.Parent())
	assert.Equal(t, server.ID(), publish.Parent())
	assert.Equal(t, "00-"+traceID+"-"+publish.ID()+"-01", traced)
	assert.Equal(t, 202, server.Int("http.response.status_code"))
	assert.Equal(t, 2, server.Int("sluice.events.accepted"))
	assert.Equal(t, 1, server.Int("sluice.events.refused"))
	assert.Equal(t, "demo", server.Text("sluice.project"))
	assert.Equal(t, 2, publish.Int("messaging.batch.message_count"))
	assert.Equal(t, 1, publish.Int("sluice.send.attempts"))
	for _, span := range spans {
		for _, secret := range []string{testKey, "client bytes", "client-bytes"} {
			assert.NotContains(t, span.String(), secret)
		}
	}
}

// A message on a WebSocket is traced as a request is, and so are requests that are refused.
func TestTraceOfMessagesAndRefusals(t *testing.T) {
	t.Parallel()
	c := tracingtest.NewCollector(t)
	s := serve(t, withTracing(c, 1))
	ws := s.stream("")
	ws.send(`{"message":"a"}`)
	require.Equal(t, 202, ws.receive().HTTPStatus)
	require.Equal(t, 401, s.do(request{path: pathEvents, body: `{"message":"a"}`, noKey: true}).status)
	require.Equal(t, 404, s.do(request{path: "/nowhere", body: `{"message":"a"}`}).status)
	require.NoError(t, ws.ws.Close())
	require.NoError(t, s.stop())
	names := map[string]int{}
	for _, span := range c.Spans() {
		names[span.GetName()] = span.Int("http.response.status_code")
	}
	assert.Equal(t, map[string]int{"message /api/v1/stream": 202, "send events": 0, "POST /api/v1/events": 401}, names)
}

// The trace shows what Kafka did not take: the attempts, the spool, and the answer 503.
func TestTraceOfAnOutage(t *testing.T) {
	t.Parallel()
	c := tracingtest.NewCollector(t)
	spool, _ := withSpool(t, t.TempDir())
	s := serve(t, spool, withTracing(c, 1))
	s.producer.Down(brokertest.ErrDown)
	require.Equal(t, http.StatusAccepted, s.single(`{"message":"a"}`).status)
	s.producer.Up()
	require.NoError(t, s.stop())
	var publish, spooled tracingtest.Span
	for _, span := range c.Spans() {
		switch span.GetName() {
		case "send events":
			publish = span
		case "spool events":
			spooled = span
		}
	}
	assert.Positive(t, publish.Int("sluice.send.attempts"))
	assert.Equal(t, 1, publish.Int("sluice.send.spooled"))
	assert.Equal(t, publish.ID(), spooled.Parent())

	c = tracingtest.NewCollector(t)
	s = serve(t, withTracing(c, 1), func(c *Config, _ *Deps) { c.RequestTimeout = time.Second })
	s.producer.Down(brokertest.ErrDown)
	require.Equal(t, http.StatusServiceUnavailable, s.single(`{"message":"a"}`).status)
	s.producer.Up()
	require.NoError(t, s.stop())
	failed := 0
	for _, span := range c.Spans() {
		if strings.HasPrefix(span.GetName(), "POST ") {
			assert.Equal(t, "503", span.Text("error.type"))
			failed++
		}
		if span.GetName() == "send events" {
			assert.Equal(t, "not_acknowledged", span.Text("error.type"))
			failed++
		}
	}
	assert.Equal(t, 2, failed)
}
