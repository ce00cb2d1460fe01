package tracing

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// The reasons why spans are dropped.
const (
	droppedFull        = "queue_full"  // the collector is slow or away, or there are too many spans
	droppedUnreachable = "unreachable" // the collector did not take them for giveUpAfter
	droppedRefused     = "refused"     // the collector refused them for good
	droppedStopped     = "stopped"     // the program ended before the collector took them
)

// metrics counts spans.
type metrics struct {
	exported prometheus.Counter
	dropped  *prometheus.CounterVec
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		exported: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_trace_spans_exported_total", Help: "Spans that the OpenTelemetry collector took.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_trace_spans_dropped_total",
			Help: "Spans that did not reach the OpenTelemetry collector: queue_full, unreachable, refused or stopped.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{droppedFull, droppedUnreachable, droppedRefused, droppedStopped} {
		m.dropped.WithLabelValues(reason)
	}
	for _, c := range []prometheus.Collector{m.exported, m.dropped} {
		if err := to.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) drop(reason string, spans int) {
	m.dropped.WithLabelValues(reason).Add(float64(spans))
}
