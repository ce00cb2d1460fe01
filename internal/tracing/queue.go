package tracing

import (
	"context"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// queueSpans is how many ended spans may wait for the exporter. A span takes about 1 KiB.
const queueSpans = 4096

// queue holds ended spans. It is the end of OpenTelemetry's SDK: an sdk.SpanProcessor that never blocks. The SDK's own
// batch processor does not say what it drops.
type queue struct {
	spans   chan sdk.ReadOnlySpan
	metrics *metrics
}

func newQueue(m *metrics) *queue {
	return &queue{spans: make(chan sdk.ReadOnlySpan, queueSpans), metrics: m}
}

// OnStart is part of sdk.SpanProcessor.
func (*queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd queues the span, or drops it if the queue is full.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	select {
	case q.spans <- s:
	default:
		q.metrics.drop(droppedFull, 1)
	}
}

// Shutdown is part of sdk.SpanProcessor. See Tracer.Around.
func (*queue) Shutdown(context.Context) error { return nil }

// ForceFlush is part of sdk.SpanProcessor. See Tracer.Around.
func (*queue) ForceFlush(context.Context) error { return nil }

// take appends what waits to into, up to a number of spans in all.
func (q *queue) take(into []sdk.ReadOnlySpan, most int) []sdk.ReadOnlySpan {
	for len(into) < most {
		select {
		case s := <-q.spans:
			into = append(into, s)
		default:
			return into
		}
	}
	return into
}
