package series

import (
	"fmt"
	"io"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Reading is the metrics of one process at one moment, by name.
type Reading map[string]*dto.MetricFamily

// Gather reads a registry of this process.
func Gather(from prometheus.Gatherer) (Reading, error) {
	families, err := from.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather metrics: %w", err)
	}
	r := make(Reading, len(families))
	for _, f := range families {
		r[f.GetName()] = f
	}
	return r, nil
}

// Parse reads Prometheus' text format.
func Parse(text io.Reader) (Reading, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("parse metrics: %w", err)
	}
	return families, nil
}

// Gauge returns the sum of a gauge's or a counter's values, 0 if the process does not have it.
func (r Reading) Gauge(name string) float64 {
	sum := 0.0
	for _, m := range r[name].GetMetric() {
		sum += value(m)
	}
	return sum
}

// Has reports whether the process exposes a metric.
func (r Reading) Has(name string) bool { return len(r[name].GetMetric()) > 0 }

// By returns a metric's values, each the sum of those with the same values of these labels. The key joins the labels'
// values with a slash.
func (r Reading) By(name string, labels ...string) map[string]float64 {
	out := map[string]float64{}
	for _, m := range r[name].GetMetric() {
		out[key(m, labels)] += value(m)
	}
	return out
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	default:
		return m.Untyped.GetValue()
	}
}

// key joins the values of labels. Without names it joins all labels, which tells the metrics of a family apart.
func key(m *dto.Metric, names []string) string {
	var b strings.Builder
	if len(names) == 0 {
		for _, l := range m.GetLabel() {
			b.WriteString(l.GetName())
			b.WriteByte('=')
			b.WriteString(l.GetValue())
			b.WriteByte(0)
		}
		return b.String()
	}
	for i, name := range names {
		if i > 0 {
			b.WriteByte('/')
		}
		for _, l := range m.GetLabel() {
			if l.GetName() == name {
				b.WriteString(l.GetValue())
			}
		}
	}
	return b.String()
}
