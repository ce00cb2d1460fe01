package tracing

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Deps are the parts that a Tracer does not make itself.
type Deps struct {
	// Service is the program's name in traces: sluice-gateway or sluice-consumer. OTEL_SERVICE_NAME replaces it.
	Service string
	// Version is the program's version.
	Version string
	Metrics prometheus.Registerer
	Log     *slog.Logger
	// Drain is how long the program may take to stop. The last spans have what is left of it, and at least lastSpans.
	Drain time.Duration
}

// Tracer makes spans and exports them. A nil *Tracer traces nothing. It is safe for concurrent use.
type Tracer struct {
	sampler  sampler
	otel     trace.Tracer
	queue    *queue
	exporter *exporter
	log      *slog.Logger
	drain    time.Duration
}

// New makes a Tracer, or returns nil if the settings name no collector. It opens nothing and starts nothing. The metrics
// are registered in both cases.
func New(cfg Config, deps Deps) (*Tracer, error) {
	metrics, err := newMetrics(deps.Metrics)
	if err != nil || cfg == (Config{}) {
		return nil, err
	}
	if err := cfg.Check(); err != nil || cfg.Endpoint == "" {
		return nil, err
	}
	url, err := cfg.url()
	if err != nil {
		return nil, err
	}
	q := newQueue(metrics)
	provider := sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithResource(describe(deps)),
		sdk.WithSpanProcessor(q))
	return &Tracer{
		sampler: newSampler(cfg), otel: provider.Tracer("sluice"), queue: q,
		exporter: newExporter(url, cfg.headers, metrics, deps.Log), log: deps.Log, drain: deps.Drain,
	}, nil
}

// describe returns what the collector learns about this process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
func describe(deps Deps) *resource.Resource {
	attrs := []attribute.KeyValue{
		attribute.String("service.name", deps.Service),
		attribute.String("service.version", deps.Version),
		attribute.String("service.instance.id", uuid.NewString()),
	}
	if host, err := os.Hostname(); err == nil {
		attrs = append(attrs, attribute.String("host.name", host))
	}
	about, err := resource.New(context.Background(), resource.WithTelemetrySDK(), resource.WithAttributes(attrs...),
		resource.WithFromEnv())
	if err != nil { // what could be read of the environment is in it
		deps.Log.Warn("cannot read OTEL_RESOURCE_ATTRIBUTES", "err", err)
	}
	return about
}

// lastSpans is the least time, and longestFlush the most, that the last spans have to reach the collector.
const (
	lastSpans    = time.Second
	longestFlush = 5 * time.Second
)

// Around calls run, and exports spans until run has returned. Then it exports what is left, within Deps.Drain from the
// end of ctx. It returns run's error: a trace that is lost is no failure of the program.
func (t *Tracer) Around(ctx context.Context, run func(context.Context) error) error {
	if t == nil {
		return run(ctx)
	}
	var ended atomic.Int64 // when ctx ended, in Unix nanoseconds
	defer context.AfterFunc(ctx, func() { ended.Store(time.Now().UnixNano()) })()
	exporting, stop := context.WithCancel(context.WithoutCancel(ctx))
	var exports sync.WaitGroup
	exports.Go(func() { t.exporter.run(exporting, t.queue) })
	err := run(ctx)
	stop()
	exports.Wait()
	left := t.drain
	if at := ended.Load(); at > 0 {
		left -= time.Since(time.Unix(0, at))
	}
	t.exporter.flush(t.queue, max(lastSpans, min(longestFlush, left)))
	return err
}
