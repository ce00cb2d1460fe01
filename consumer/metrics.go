package consumer

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are all of the consumer's figures. Labels come from closed sets.
type metrics struct {
	lag            *prometheus.GaugeVec
	lagSeconds     prometheus.Gauge
	rows           prometheus.Counter
	dead           *prometheus.CounterVec
	dropped        *prometheus.CounterVec
	insertDuration prometheus.Histogram
	batchRows      prometheus.Histogram
	insertErrors   *prometheus.CounterVec
	rebalances     prometheus.Counter
	gaps           prometheus.Counter
	blocked        *prometheus.GaugeVec
	buffered       prometheus.Gauge
	endToEnd       prometheus.Histogram
}

// Why a partition is blocked: it waits for something outside and retries.
const (
	blockedClickHouse = "clickhouse"
	blockedSetup      = "setup"
	blockedDead       = "dead_letters"
)

func newMetrics() (*metrics, []prometheus.Collector) {
	seconds := []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	m := &metrics{
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_consumer_lag_messages", Help: "Records on the partition that are not yet in ClickHouse.",
		}, []string{"topic", "partition"}),
		lagSeconds: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_consumer_lag_seconds", Help: "Age of the oldest event of the last batch when it was inserted.",
		}),
		rows: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_consumer_rows_inserted_total", Help: "Rows that ClickHouse acknowledged.",
		}),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_consumer_dead_letters_total", Help: "Records put on the dead-letter topic, by reason.",
		}, []string{"reason"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_consumer_dropped_total", Help: "Events that a processor dropped on purpose, by its name.",
		}, []string{"processor"}),
		insertDuration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_consumer_insert_duration_seconds", Help: "Time of one successful insert.", Buckets: seconds,
		}),
		batchRows: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_consumer_batch_rows", Help: "Rows of one insert.", Buckets: prometheus.ExponentialBuckets(1, 4, 11),
		}),
		insertErrors: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_consumer_insert_errors_total", Help: "Inserts that failed, and reads that they need, by ClickHouse's error code, or network.",
		}, []string{"code"}),
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_consumer_rebalances_total", Help: "Generations of the group this consumer has been part of.",
		}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sluice_consumer_offset_gaps_total", Help: "Offsets that were gone before they could be read: records lost to retention.",
		}),
		blocked: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_consumer_blocked", Help: "Partitions that wait for something outside, by reason.",
		}, []string{"reason"}),
		buffered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_consumer_buffered_bytes", Help: "Event bytes in memory that are not yet in ClickHouse.",
		}),
		endToEnd: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "sluice_consumer_end_to_end_seconds", Help: "Time from an event's receipt at the gateway to its row being visible, for the oldest event of each batch.",
			Buckets: seconds,
		}),
	}
	return m, []prometheus.Collector{
		m.lag, m.lagSeconds, m.rows, m.dead, m.dropped, m.insertDuration, m.batchRows, m.insertErrors, m.rebalances, m.gaps,
		m.blocked, m.buffered, m.endToEnd,
	}
}

func (m *metrics) setLag(topic string, partition int, records int64) {
	m.lag.WithLabelValues(topic, strconv.Itoa(partition)).Set(float64(max(0, records)))
}

// forget drops a partition that is no longer ours: its lag is another consumer's to report.
func (m *metrics) forget(topic string, partition int) {
	m.lag.DeleteLabelValues(topic, strconv.Itoa(partition))
}
