package audit

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of repeated audits.
type Metrics struct {
	unaccounted *prometheus.GaugeVec // by partition
	records     *prometheus.GaugeVec // by fate
	audits      *prometheus.CounterVec
	success     prometheus.Gauge
	duration    prometheus.Gauge
}

// errorResult is the result of an audit that could not be made, beside the verdicts.
const errorResult = "error"

// NewMetrics registers the metrics.
func NewMetrics(to prometheus.Registerer) *Metrics {
	m := &Metrics{
		unaccounted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_audit_unaccounted_records",
			Help: "Records of a partition that are unaccounted for, by the last audit that could be made.",
		}, []string{"partition"}),
		records: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sluice_audit_records",
			Help: "Records of the topic by what became of them, by the last audit that could be made.",
		}, []string{"fate"}),
		audits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sluice_audit_audits_total",
			Help: "Audits by their result. error: the audit could not be made. " +
				"incomplete: more records have no row than --max-lookups.",
		}, []string{"result"}),
		success: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_audit_last_success_timestamp_seconds",
			Help: "Unix time of the end of the last audit that accounted for every record. 0: none yet.",
		}),
		duration: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sluice_audit_duration_seconds",
			Help: "How long the last audit took, whatever its result.",
		}),
	}
	for _, result := range []string{string(Accounted), string(Unaccounted), string(Incomplete), errorResult} {
		m.audits.WithLabelValues(result)
	}
	to.MustRegister(m.unaccounted, m.records, m.audits, m.success, m.duration)
	return m
}

// observe takes the result of an audit. The report is nil if the audit could not be made: then the gauges of the last
// one stay.
func (m *Metrics) observe(r *Report, took time.Duration) {
	m.duration.Set(took.Seconds())
	if r == nil {
		m.audits.WithLabelValues(errorResult).Inc()
		return
	}
	m.audits.WithLabelValues(string(r.Verdict())).Inc()
	for _, a := range r.Accounts {
		m.unaccounted.WithLabelValues(strconv.Itoa(a.Partition)).Set(float64(a.Unaccounted))
	}
	for _, f := range fates {
		m.records.WithLabelValues(f.label).Set(float64(*f.of(&r.Total)))
	}
	if r.Verdict() == Accounted {
		m.success.Set(float64(r.Started.UnixMilli())/1000 + r.Seconds)
	}
}

// fate is one of the things that become of a record.
type fate struct {
	label, column string
	of            func(*Account) *int64
}

// fates are all of them. Their numbers add up to Account.Records.
var fates = []fate{
	{"row", "ROWS", func(a *Account) *int64 { return &a.Rows }},
	{"merged", "MERGED", func(a *Account) *int64 { return &a.Merged }},
	{"dead_letter", "DEAD", func(a *Account) *int64 { return &a.DeadLetters }},
	{"gateway_counts", "COUNTS", func(a *Account) *int64 { return &a.Counts }},
	{"erased", "ERASED", func(a *Account) *int64 { return &a.Erased }},
	{"dropped", "DROPPED", func(a *Account) *int64 { return &a.Dropped }},
	{"expired", "EXPIRED", func(a *Account) *int64 { return &a.Expired }},
	{"gap", "GAPS", func(a *Account) *int64 { return &a.Gaps }},
	{"lag", "LAG", func(a *Account) *int64 { return &a.Lag }},
	{"unchecked", "UNCHECKED", func(a *Account) *int64 { return &a.Unchecked }},
	{"unaccounted", "UNACCOUNTED", func(a *Account) *int64 { return &a.Unaccounted }},
}
