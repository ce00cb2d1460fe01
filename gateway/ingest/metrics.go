package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Names, in metrics, of the limits that keep the gateway itself from harm.
const (
	LimitFailedKeys    = "failed_keys"
	LimitRequests      = "inflight_requests"
	LimitBodyBytes     = "body_bytes"
	LimitInflightBytes = "inflight_bytes"
	LimitQueueWait     = "queue_wait"
	LimitConnections   = "connections"
)

var overloadLimits = []string{
	LimitFailedKeys, LimitRequests, LimitBodyBytes, LimitInflightBytes, LimitQueueWait, LimitConnections,
}

// Metrics count what becomes of events. Labels come from closed sets of our own, never from what a client wrote.
type Metrics struct {
	accepted  *prometheus.CounterVec
	rejected  *prometheus.CounterVec
	Overloads *prometheus.CounterVec

	ignored   *prometheus.CounterVec
	discarded *prometheus.CounterVec

	acceptedBy map[string]prometheus.Counter // by protocol: the path of every event does not look labels up

	durations    *prometheus.HistogramVec
	kept, failed prometheus.Observer // of durations
}

// NewMetrics makes the metrics. protocols are the names of all protocols. The counters of all labels start at
// zero: a counter that appears with its first value hides that value from rate and increase.
func NewMetrics(protocols []string) *Metrics {
	m := &Metrics{
		acceptedBy: map[string]prometheus.Counter{},
		accepted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_events_accepted_total",
			Help: "Events answered as accepted, by protocol: acknowledged by Kafka or on the spool's disk.",
		}, []string{"protocol"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_events_rejected_total",
			Help: "Refused events, and refused requests whose events were not counted, by reason and protocol.",
		}, []string{"reason", "protocol"}),
		Overloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_overload_total",
			Help: "Requests and connections turned away to keep the gateway from harm, by limit.",
		}, []string{"limit"}),
	}
	m.ignored, m.discarded = newIgnored()
	m.durations = newDurations()
	m.kept, m.failed = m.durations.WithLabelValues(resultKept), m.durations.WithLabelValues(resultFailed)
	for _, protocol := range protocols {
		m.acceptedBy[protocol] = m.accepted.WithLabelValues(protocol)
		for _, a := range answers[1:] {
			m.rejected.WithLabelValues(a.Code, protocol)
		}
	}
	for _, limit := range overloadLimits {
		m.Overloads.WithLabelValues(limit)
	}
	return m
}

// Collectors returns all metrics.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.accepted, m.rejected, m.Overloads, m.ignored, m.discarded, m.durations}
}

// accept counts n kept events.
func (m *Metrics) accept(protocol string, n int) { m.acceptedBy[protocol].Add(float64(n)) }

// reject counts n refused events.
func (m *Metrics) reject(k Kind, protocol string, n int) {
	m.rejected.WithLabelValues(answers[k].Code, protocol).Add(float64(n))
}

// turnedAway counts a refusal by one of overloadLimits.
func (m *Metrics) turnedAway(limit string) { m.Overloads.WithLabelValues(limit).Inc() }
