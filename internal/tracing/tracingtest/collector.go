// Package tracingtest has an OpenTelemetry collector for tests, which keeps the spans that it gets.
package tracingtest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as the collector got it.
type Span struct {
	*otlp.Span
	// Service is the name of the program that made it.
	Service string
}

// ID returns the span's id in hexadecimal.
func (s Span) ID() string { return hex.EncodeToString(s.GetSpanId()) }

// Parent returns the parent's id in hexadecimal.
func (s Span) Parent() string { return hex.EncodeToString(s.GetParentSpanId()) }

// Trace returns the trace's id in hexadecimal.
func (s Span) Trace() string { return hex.EncodeToString(s.GetTraceId()) }

// Text returns a text attribute, or "".
func (s Span) Text(key string) string { return value(s.GetAttributes(), key).GetStringValue() }

// Int returns an integer attribute, or 0.
func (s Span) Int(key string) int { return int(value(s.GetAttributes(), key).GetIntValue()) }

func value(attrs []*common.KeyValue, key string) *common.AnyValue {
	for _, a := range attrs {
		if a.GetKey() == key {
			return a.GetValue()
		}
	}
	return nil
}

// Collector is an OpenTelemetry collector on the loopback interface. It takes OTLP over HTTP, and refuses what is not
// that. It is safe for concurrent use.
type Collector struct {
	// URL is for --trace-endpoint.
	URL string

	mu      sync.Mutex
	spans   []Span
	headers http.Header
}

// NewCollector starts a collector, which stops with the test.
func NewCollector(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.URL = server.URL
	return c
}

// ServeHTTP takes an export request.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" ||
		r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &request) != nil {
		http.Error(w, "this is not an export request", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.headers = r.Header
	for _, of := range request.GetResourceSpans() {
		service := value(of.GetResource().GetAttributes(), "service.name").GetStringValue()
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				c.spans = append(c.spans, Span{s, service})
			}
		}
	}
}

// Spans returns all spans so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Header returns a header of the last request.
func (c *Collector) Header(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.headers.Get(name)
}

// Trace returns the spans of a trace by name.
func (c *Collector) Trace(id string) map[string]Span {
	out := map[string]Span{}
	for _, s := range c.Spans() {
		if s.Trace() == id {
			out[s.GetName()] = s
		}
	}
	return out
}
