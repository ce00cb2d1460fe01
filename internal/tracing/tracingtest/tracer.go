package tracingtest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"sluice/internal/tracing"
)

// Tracer makes a tracer whose spans go to the collector. Requests without a traceparent are traced if sample is 1.
func (c *Collector) Tracer(t testing.TB, sample float64) *tracing.Tracer {
	t.Helper()
	tracer, err := tracing.New(c.Config(sample), tracing.Deps{
		Service: "test", Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), Drain: time.Minute,
	})
	require.NoError(t, err)
	return tracer
}

// Config returns the settings of a program whose spans go to the collector.
func (c *Collector) Config(sample float64) tracing.Config {
	return tracing.Config{Endpoint: c.URL, Sample: sample, PerSecond: 100_000}
}

// Flush exports the spans of a tracer that have ended, and returns all that the collector has.
func (c *Collector) Flush(t testing.TB, tracer *tracing.Tracer) []Span {
	t.Helper()
	require.NoError(t, tracer.Around(t.Context(), func(context.Context) error { return nil }))
	return c.Spans()
}
