package canary

import "github.com/prometheus/client_golang/prometheus"

// The reasons of failures.
const (
	reasonUnreachable = "unreachable" // no answer from the gateway
	reasonUnavailable = "unavailable" // 429 or 5xx
	reasonRefused     = "refused"     // any other answer but 202
	reasonLate        = "late"        // accepted, and not queryable in time
	reasonLost        = "lost"        // accepted, and not queryable until it was given up
	reasonQuery       = "query"       // ClickHouse did not answer the question
)

// metrics are those of a canary.
type metrics struct {
	queryable prometheus.Histogram
	last      prometheus.Gauge
	success   prometheus.Gauge
	inFlight  prometheus.Gauge
	sent      prometheus.Counter
	failures  *prometheus.CounterVec // by reason
}

func newMetrics(to prometheus.Registerer) *metrics {
	m := &metrics{
		queryable: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_canary_queryable_seconds",
			Help: "Time from sending a canary event until ClickHouse returns it. " +
				"Late events are among them, once they arrive.",
			Buckets: []float64{0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600},
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_canary_last_queryable_seconds",
			Help: "That time of the last event that became queryable.",
		}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_canary_last_success_timestamp_seconds",
			Help: "Unix time at which a canary event last became queryable. 0: none yet.",
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_canary_in_flight_events",
			Help: "Canary events that the gateway accepted and that are not queryable yet.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_canary_sent_total",
			Help: "Canary events sent, whatever the answer.",
		}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_canary_failures_total",
			Help: "Failures by reason. unreachable, unavailable, refused: the gateway did not accept the event. " +
				"late: not queryable after --late-after. lost: not queryable after an hour, and given up. " +
				"query: ClickHouse did not answer.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{
		reasonUnreachable, reasonUnavailable, reasonRefused, reasonLate, reasonLost, reasonQuery,
	} {
		m.failures.WithLabelValues(reason)
	}
	to.MustRegister(m.queryable, m.last, m.success, m.inFlight, m.sent, m.failures)
	return m
}
