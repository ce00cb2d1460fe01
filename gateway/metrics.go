package gateway

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/broker"
	"sluice/gateway/ingest"
	"sluice/gateway/ratelimit"
	"sluice/gateway/spool"
)

// metrics are the gateway's metrics. Labels come from closed sets of our own: routes, statuses and reasons, never
// anything that a client wrote.
type metrics struct {
	requests        *prometheus.CounterVec
	duration        prometheus.Histogram
	publishDuration prometheus.Histogram
	publishErrors   *prometheus.CounterVec
	spoolFsync      prometheus.Histogram
	spoolErrors     *prometheus.CounterVec
	spoolLost       prometheus.Counter
}

// newMetrics makes the metrics. statuses lists the known statuses of each route, whose counters start at zero.
func newMetrics(statuses map[string][]int) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"route", "status"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_gateway_request_duration_seconds", Help: "Time from the headers read to the answer ready.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		publishDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_gateway_publish_duration_seconds", Help: "Time of one produce request to Kafka.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		publishErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_publish_errors_total", Help: "Requests to Kafka that failed, by reason.",
		}, []string{"reason"}),
		spoolFsync: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sluice_gateway_spool_fsync_seconds",
			Help:    "Time of one fsync of the spool, for which several requests wait together.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}),
		spoolErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_gateway_spool_errors_total",
			Help: "Entries that the spool did not take (full, old, disk), could not read back (damaged) or found deleted (lost), " +
				"or that Kafka refuses (refused), by reason.",
		}, []string{"reason"}),
		spoolLost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_gateway_spool_lost_events_total",
			Help: "Events answered 202 whose spool file was deleted, truncated or damaged before Kafka had them.",
		}),
	}
	m.zero(statuses)
	return m
}

// collectors returns the metrics that newMetrics made.
func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.requests, m.duration, m.publishDuration, m.publishErrors, m.spoolFsync, m.spoolErrors, m.spoolLost,
	}
}

// zero makes the counters of all labels that are known beforehand. A counter that appears with its first value hides
// that value from rate and increase.
func (m *metrics) zero(statuses map[string][]int) {
	for route, known := range statuses {
		for _, status := range known {
			m.requests.WithLabelValues(route, statusText(status))
		}
	}
	for _, reason := range spool.Reasons {
		m.spoolErrors.WithLabelValues(reason)
	}
	for _, reason := range broker.Reasons {
		m.publishErrors.WithLabelValues(reason)
	}
}

// gaugeSources are called when somebody reads the gauges.
type gaugeSources struct {
	inflightBytes      func() int64
	inflightRequests   func() int64
	bodyBytes          func() int64
	connections        func() int
	spool              func() spool.Stats
	spoolMaxBytes      int64         // 0 without a spool
	spoolMaxAge        time.Duration // 0 without a spool
	projects           func() *ingest.ProjectSet
	projectsFileBroken func() bool
	pendingCounts      func() int64
	countsFolded       func() bool
}

func gauge(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}

// gauges lists the gauges of every gateway.
func gauges(of gaugeSources) []prometheus.Collector {
	return []prometheus.Collector{
		gauge("sluice_gateway_inflight_bytes", "Event bytes that wait for Kafka's acknowledgement.",
			func() float64 { return float64(of.inflightBytes()) }),
		gauge("sluice_gateway_inflight_requests", "Requests being read or waiting for Kafka.",
			func() float64 { return float64(of.inflightRequests()) }),
		gauge("sluice_gateway_body_bytes", "Bytes reserved for bodies being read, decompressed and parsed.",
			func() float64 { return float64(of.bodyBytes()) }),
		gauge("sluice_gateway_connections", "Connections open on the public port.",
			func() float64 { return float64(max(0, of.connections())) }),
		gauge("sluice_gateway_spool_bytes", "What the spool takes on the disk, in bytes.",
			func() float64 { return float64(of.spool().Bytes) }),
		gauge("sluice_gateway_spool_events", "Events that wait in the spool, refused ones included.",
			func() float64 { return float64(of.spool().Events) }),
		gauge("sluice_gateway_spool_refused_events", "Events in the spool that Kafka refuses; they are tried again.",
			func() float64 { return float64(of.spool().Refused) }),
		gauge("sluice_gateway_spool_oldest_seconds", "How long the oldest event in the spool has waited.",
			func() float64 { return of.spool().Age.Seconds() }),
		gauge("sluice_gateway_spool_max_bytes",
			"How much the spool takes on the disk before it accepts nothing more, in bytes: --spool-max-bytes, or 0 without a spool.",
			func() float64 { return float64(of.spoolMaxBytes) }),
		gauge("sluice_gateway_spool_max_age_seconds",
			"The age of its oldest event from which on the spool accepts nothing more: --spool-max-age, or 0 without a spool.",
			func() float64 { return of.spoolMaxAge.Seconds() }),
		gauge("sluice_gateway_outcomes_pending",
			"Refused events whose counts for sluice.outcomes are not on Kafka yet. A kill loses these counts.",
			func() float64 { return float64(of.pendingCounts()) }),
		gauge("sluice_gateway_outcomes_folded",
			"1 while there is no room for counts of further projects, which are counted without a project, else 0.",
			func() float64 { return oneIf(of.countsFolded()) }),
		gauge("sluice_gateway_projects", "Projects in force.",
			func() float64 { return float64(of.projects().Len()) }),
		gauge("sluice_gateway_project_keys", "Keys of projects in force.",
			func() float64 { return float64(of.projects().Keys()) }),
		gauge("sluice_gateway_projects_file_broken",
			"1 while the projects file is broken and the last good one stays in force, else 0.",
			func() float64 { return oneIf(of.projectsFileBroken()) }),
	}
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (m *metrics) request(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, statusText(status)).Inc()
	m.duration.Observe(took.Seconds())
}

// statusText returns a status as a label, without an allocation for each request.
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

// newStoreMetrics makes the metrics of the limit store, and lists them. They exist only where limits are shared.
// store is called when somebody reads the gauges.
func newStoreMetrics(store func() *ratelimit.Store) (ratelimit.Metrics, []prometheus.Collector) {
	errors := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "sluice_gateway_limit_store_errors_total",
		Help: "Exchanges with the limit store, and connects, that failed, by reason.",
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
		gauge("sluice_gateway_limit_store_up",
			"1 while the limits are shared through the store, 0 while this gateway applies its share of them.",
			func() float64 { return oneIf(store().Up()) }),
		gauge("sluice_gateway_limit_store_gateways", "Gateways that share the limits, as last known.",
			func() float64 { return float64(store().Gateways()) }),
	}
}
