package gateway

import (
	"slices"
	"sluice/gateway/broker"
	"sluice/gateway/ratelimit"
	"sluice/gateway/spool"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are all of the gateway's figures. Labels come from closed sets: routes, statuses and reasons of ours, never
// anything a client wrote.
type metrics struct {
	requests        *prometheus.CounterVec
	duration        prometheus.Histogram
	accepted        prometheus.Counter
	rejected        *prometheus.CounterVec
	publishDuration prometheus.Histogram
	publishErrors   *prometheus.CounterVec
	overloads       *prometheus.CounterVec
	spoolFsync      prometheus.Histogram
	spoolErrors     *prometheus.CounterVec
	spoolLost       prometheus.Counter
}

func newMetrics(inflight func() float64) (*metrics, []prometheus.Collector) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_gateway_request_duration_seconds", Help: "Time from the headers read to the answer ready.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		accepted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_gateway_events_accepted_total", Help: "Events answered as accepted: acknowledged by Kafka or on the spool's disk.",
		}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_events_rejected_total", Help: "Events, or requests whose events were never counted, that were refused, by reason.",
		}, []string{"reason"}),
		publishDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_gateway_publish_duration_seconds", Help: "Time of one produce request to Kafka.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		publishErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_publish_errors_total", Help: "Requests to Kafka that failed, by reason.",
		}, []string{"reason"}),
		overloads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_overload_total", Help: "Requests and connections turned away to keep the gateway from harm, by limit.",
		}, []string{"limit"}),
		spoolFsync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_gateway_spool_fsync_seconds", Help: "Time of one fsync of the spool, which answers all requests that waited for it.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		spoolErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_spool_errors_total", Help: "What the spool did not take (full, old, disk), could not read back (damaged), found deleted (lost), or Kafka refuses (refused), by reason.",
		}, []string{"reason"}),
		spoolLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_gateway_spool_lost_events_total", Help: "Events answered 202 whose spool file was deleted, truncated or damaged before Kafka had them.",
		}),
	}
	m.zero()
	waiting := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "sluice_gateway_inflight_bytes", Help: "Event bytes that wait for Kafka's acknowledgement.",
	}, inflight)
	return m, []prometheus.Collector{m.requests, m.duration, m.accepted, m.rejected, m.publishDuration, m.publishErrors, m.overloads, m.spoolFsync, m.spoolErrors, m.spoolLost, waiting}
}

// zero makes the counters of all labels that are known beforehand. A counter that appears with its first value hides that value
// from rate and increase.
func (m *metrics) zero() {
	for _, r := range append(slices.Clone(routes), otherRoute) {
		for _, status := range r.statuses {
			m.requests.WithLabelValues(r.label, statusText(status))
		}
	}
	for _, a := range answers[1:] {
		m.rejected.WithLabelValues(a.code)
	}
	for _, limit := range []string{limitFailedKeys, limitRequests, limitBodyBytes, limitInflightBytes, limitQueueWait, limitConnections} {
		m.overloads.WithLabelValues(limit)
	}
	for _, reason := range spool.Reasons {
		m.spoolErrors.WithLabelValues(reason)
	}
	for _, reason := range broker.Reasons {
		m.publishErrors.WithLabelValues(reason)
	}
}

// loadGauges are what the limits on load are held against.
func loadGauges(g *Gateway) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("sluice_gateway_inflight_requests", "Requests being read or waiting for Kafka.",
			func() float64 { return float64(g.load.requests.Load()) }),
		gauge("sluice_gateway_body_bytes", "Bytes reserved for bodies being read, decompressed and parsed.",
			func() float64 { return float64(g.bodies.Used()) }),
		gauge("sluice_gateway_connections", "Connections open on the public port.",
			func() float64 { return float64(max(0, g.conns.Open())) }),
	}
}

// spoolGauges are read from the spool when somebody asks.
func spoolGauges(stats func() spool.Stats) []prometheus.Collector {
	gauge := func(name, help string, value func(spool.Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(stats()) })
	}
	return []prometheus.Collector{
		gauge("sluice_gateway_spool_bytes", "What the spool takes on the disk, in bytes.", func(f spool.Stats) float64 { return float64(f.Bytes) }),
		gauge("sluice_gateway_spool_events", "Events that wait in the spool, refused ones included.", func(f spool.Stats) float64 { return float64(f.Events) }),
		gauge("sluice_gateway_spool_refused_events", "Events in the spool that Kafka refuses; they are tried again.", func(f spool.Stats) float64 { return float64(f.Refused) }),
		gauge("sluice_gateway_spool_oldest_seconds", "How long the oldest event in the spool has waited.", func(f spool.Stats) float64 { return f.Age.Seconds() }),
	}
}

func (m *metrics) reject(k kind, n int) {
	m.rejected.WithLabelValues(answers[k].code).Add(float64(n))
}

// turnedAway counts a refusal by one of the limits that keep the gateway itself from harm.
func (m *metrics) turnedAway(limit string) { m.overloads.WithLabelValues(limit).Inc() }

func (m *metrics) request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, statusText(status)).Inc()
	m.duration.Observe(took.Seconds())
}

// statusText is a status as a label, without new memory for each request.
func statusText(status int) string {
	if status < 0 || status >= len(statusTexts) {
		return strconv.Itoa(status)
	}
	return statusTexts[status]
}

var statusTexts = func() (texts [600]string) {
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	return texts
}()

// newStoreMetrics are the figures of the shared limits; they are there only when limits are shared. store is asked when somebody
// reads them.
func newStoreMetrics(store func() *ratelimit.Store) (ratelimit.Metrics, []prometheus.Collector) {
	errors := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_gateway_limit_store_errors_total", Help: "Exchanges with the limit store, and connects, that failed, by reason.",
	}, []string{"reason"})
	duration := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "sluice_gateway_limit_store_duration_seconds", Help: "Time of one exchange with the limit store.",
		Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25},
	})
	for _, reason := range ratelimit.Reasons {
		errors.WithLabelValues(reason)
	}
	return ratelimit.Metrics{Errors: errors, Duration: duration}, []prometheus.Collector{
		errors, duration,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_gateway_limit_store_up", Help: "1 while the limits are shared through the store, 0 while this gateway goes by its share of them.",
		}, func() float64 {
			if store().Up() {
				return 1
			}
			return 0
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sluice_gateway_limit_store_gateways", Help: "Gateways that share the limits, as last known.",
		}, func() float64 { return float64(store().Gateways()) }),
	}
}
