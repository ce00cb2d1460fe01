package ingest

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// otherName is the label of every name that is in no closed list.
const otherName = "other"

// The names of what clients drop themselves, and why, as Sentry's client reports have them.
var (
	discardCategories = []string{
		"error", "transaction", "span", "log_item", "feedback", "session", "attachment", "replay", "profile", otherName,
	}
	discardReasons = []string{
		"queue_overflow", "cache_overflow", "buffer_overflow", "ratelimit_backoff", "network_error", "send_error",
		"sample_rate", "before_send", "event_processor", "ignored", "backpressure", otherName,
	}
)

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
	for _, item := range append(slices.Clone(items), otherName) {
		m.ignored.WithLabelValues(protocol, item)
	}
	for _, category := range discardCategories {
		for _, reason := range discardReasons {
			m.discarded.WithLabelValues(protocol, category, reason)
		}
	}
}

// ignore counts n ignored things. items are the names that have a counter.
func (m *Metrics) ignore(protocol string, items []string, item string, n int) {
	m.ignored.WithLabelValues(protocol, known(items, item)).Add(float64(n))
}

// discard counts n things that a client dropped.
func (m *Metrics) discard(protocol, category, reason string, n int) {
	m.discarded.WithLabelValues(protocol, known(discardCategories, category), known(discardReasons, reason)).
		Add(float64(n))
}

// known returns a name of the list, or otherName.
func known(list []string, name string) string {
	if slices.Contains(list, name) {
		return name
	}
	return otherName
}
