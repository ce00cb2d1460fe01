package consumer

import (
	"github.com/prometheus/client_golang/prometheus"

	"sluice/consumer/blocking"
	"sluice/consumer/counts"
	"sluice/consumer/erased"
	"sluice/consumer/kafka"
	"sluice/consumer/lag"
	"sluice/consumer/step"
	"sluice/internal/event"
)

// metrics is all metrics of the consumer. Labels come from closed sets.
type metrics struct {
	lags           *lag.Lags
	assigned       prometheus.Gauge
	partitions     prometheus.Gauge
	rows           prometheus.Counter
	dead           *prometheus.CounterVec
	dropped        *prometheus.CounterVec
	corrected      prometheus.Counter
	lostCounts     prometheus.Counter
	insertDuration prometheus.Histogram
	batchRows      prometheus.Histogram
	insertErrors   *prometheus.CounterVec
	rebalances     prometheus.Counter
	gaps           prometheus.Counter
	truncations    prometheus.Counter
	blocked        *prometheus.GaugeVec
	buffered       prometheus.Gauge
	endToEnd       prometheus.Histogram
	late           prometheus.Counter
}

func newMetrics() (*metrics, []prometheus.Collector) {
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &metrics{
		lags: lag.New(),
		assigned: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_consumer_assigned_partitions", Help: "Partitions that the group has given to this consumer.",
		}),
		partitions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_consumer_topic_partitions",
			Help: "Partitions that the topic has. If the group has more consumers than that, some have nothing to do.",
		}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_consumer_rows_inserted_total", Help: "Rows that ClickHouse acknowledged.",
		}),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_consumer_dead_letters_total", Help: "Records put on the dead-letter topic, by reason.",
		}, []string{"reason"}),
		corrected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_consumer_received_at_corrected_total",
			Help: "Rows whose received_at is not the gateway's, because its clock and the others differ.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_consumer_dropped_total", Help: "Events that a step dropped on purpose, by the step's name.",
		}, []string{"processor"}),
		lostCounts: counts.NewLost(),
		insertDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_consumer_insert_duration_seconds", Help: "Time of one successful insert.", Buckets: seconds,
		}),
		batchRows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_consumer_batch_rows", Help: "Rows of one insert.", Buckets: prometheus.ExponentialBuckets(1,
				4, 11),
		}),
		insertErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_consumer_insert_errors_total",
			Help: "Inserts that failed, and reads that inserts need, by ClickHouse's error code, or network.",
		}, []string{"code"}),
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_consumer_rebalances_total",
			Help: "Generations of the group that this consumer has been part of.",
		}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_consumer_offset_gaps_total",
			Help: "Records that were removed before they were read, counted when the committed offset passes them.",
		}),
		truncations: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_consumer_truncations_total",
			Help: "Times a partition ended before the committed offset: an unclean election, or a topic created anew.",
		}),
		blocked: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_consumer_blocked",
			Help: "Loops of partitions that wait for something outside; kafka: also a consumer that cannot join its group.",
		}, []string{"reason"}),
		buffered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_consumer_buffered_bytes", Help: "Event bytes in memory that are not yet in ClickHouse.",
		}),
		endToEnd: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "sluice_consumer_end_to_end_seconds",
			Help:    "Time from receipt at the gateway until the row is visible, for the oldest event of each batch.",
			Buckets: seconds,
		}),
	}
	m.late = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "sluice_consumer_late_rows_total",
		Help: "Rows that ClickHouse acknowledged more than 60 s after the gateway had received the event.",
	})
	return m, []prometheus.Collector{
		m.lags, m.lags.Gauge, m.assigned, m.partitions, m.rows, m.dead, m.dropped, m.corrected, m.lostCounts,
		m.insertDuration, m.batchRows, m.insertErrors, m.rebalances, m.gaps, m.truncations, m.blocked, m.buffered, m.endToEnd,
		m.late,
	}
}

// commits counts the requests of a client.
func commits(k *kafka.Client) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "sluice_consumer_offset_commits_total",
		Help: "Requests to Kafka that commit offsets, each for one partition or more.",
	}, func() float64 { return float64(k.CommitRequests()) })
}

// begin makes the series of all labels that are known before anything happens, so that the first count is an increase
// and not a new series.
func (m *metrics) begin(steps []step.Step) {
	for _, reason := range blocking.Reasons {
		m.blocked.WithLabelValues(reason)
	}
	for _, reason := range event.DeadReasons() {
		m.dead.WithLabelValues(string(reason))
	}
	for _, s := range steps {
		m.dropped.WithLabelValues(s.Name)
	}
	m.dropped.WithLabelValues(erased.Step)
	m.insertErrors.WithLabelValues("network") // ClickHouse's codes are no closed set
}
