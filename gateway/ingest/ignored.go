package ingest

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// other stands for a word of a client that is not known.
const other = "other"

// newIgnored makes the metrics of what is acknowledged and not kept.
func newIgnored() (ignored, discarded *prometheus.CounterVec) {
	ignored = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_gateway_items_ignored_total",
		Help: "What clients sent beside events, and the gateway acknowledged without keeping it, by protocol and kind.",
	}, []string{"protocol", "item"})
	discarded = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_gateway_client_discarded_total",
		Help: "What clients reported to have dropped themselves, by protocol, category and reason.",
	}, []string{"protocol", "category", "reason"})
	return ignored, discarded
}

// Expect makes the counters of what a protocol ignores start at zero. items are the names of Protocol.Ignores.
func (m *Metrics) Expect(protocol string, items []string) {
	if len(items) == 0 {
		return
	}
	for _, item := range append(slices.Clone(items), other) {
		m.ignored.WithLabelValues(protocol, item)
	}
}

// ignore counts n ignored things. items are the names that have a counter.
func (m *Metrics) ignore(protocol string, items []string, item string, n int) {
	if !slices.Contains(items, item) {
		item = other
	}
	m.ignored.WithLabelValues(protocol, item).Add(float64(n))
}
