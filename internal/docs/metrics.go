package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Metric is what a table says about one metric.
type Metric struct {
	Name, Type, Help string
	// Labels are in the order of the metric's definition, each with the values that it has from the start.
	Labels []Label
}

// Label is a label's name and its known values.
type Label struct {
	Name   string
	Values []string
}

// Recorder is a prometheus.Registerer that keeps what is registered, to describe it.
type Recorder struct{ collectors []prometheus.Collector }

// Register is part of prometheus.Registerer.
func (r *Recorder) Register(c prometheus.Collector) error {
	r.collectors = append(r.collectors, c)
	return nil
}

// MustRegister is part of prometheus.Registerer.
func (r *Recorder) MustRegister(all ...prometheus.Collector) {
	r.collectors = append(r.collectors, all...)
}

// Unregister is part of prometheus.Registerer. Nothing that is documented goes away again.
func (r *Recorder) Unregister(prometheus.Collector) bool { return false }

// Metrics describes what was registered, sorted by name.
func (r *Recorder) Metrics(t testing.TB) []Metric {
	t.Helper()
	var out []Metric
	for _, c := range r.collectors {
		for _, text := range descriptions(c) {
			m, err := parseDesc(text)
			if err != nil {
				t.Fatal(err)
			}
			m.Type = typeOf(c)
			for _, one := range collected(t, c) {
				if one.Desc().String() == text {
					m.add(t, one)
				}
			}
			if m.Type == "" {
				t.Fatalf("%s: the type cannot be told: %T has no series yet", m.Name, c)
			}
			out = append(out, m)
		}
	}
	return sorted(out)
}

// Gathered describes the metrics of a registry whose names begin with a prefix.
func Gathered(t testing.TB, from prometheus.Gatherer, prefix string) []Metric {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out []Metric
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) {
			continue
		}
		m := Metric{Name: f.GetName(), Type: strings.ToLower(f.GetType().String()), Help: f.GetHelp()}
		for _, l := range f.GetMetric()[0].GetLabel() {
			m.Labels = append(m.Labels, Label{Name: l.GetName()})
		}
		out = append(out, m)
	}
	return sorted(out)
}

func sorted(all []Metric) []Metric {
	slices.SortFunc(all, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func descriptions(c prometheus.Collector) []string {
	out := make(chan *prometheus.Desc)
	go func() { defer close(out); c.Describe(out) }()
	var texts []string
	for d := range out {
		texts = append(texts, d.String())
	}
	return texts
}

func collected(t testing.TB, c prometheus.Collector) []prometheus.Metric {
	t.Helper()
	out := make(chan prometheus.Metric)
	go func() { defer close(out); c.Collect(out) }()
	var all []prometheus.Metric
	for m := range out {
		all = append(all, m)
	}
	return all
}

// desc is how prometheus.Desc prints itself, which is the one way to read its labels.
var desc = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: ("(?:[^"\\]|\\.)*"), ` +
	`(?:unit: "[^"]*", )?constLabels: \{\}, variableLabels: \{([^}]*)\}\}$`)

func parseDesc(text string) (Metric, error) {
	found := desc.FindStringSubmatch(text)
	if found == nil {
		return Metric{}, fmt.Errorf("not the description of a metric: %s", text)
	}
	help, err := strconv.Unquote(found[2])
	if err != nil {
		return Metric{}, fmt.Errorf("help of %s: %w", found[1], err)
	}
	m := Metric{Name: found[1], Help: help}
	for name := range strings.SplitSeq(found[3], ",") {
		if name != "" {
			m.Labels = append(m.Labels, Label{Name: name})
		}
	}
	return m, nil
}

// typeOf tells the type of a collector that may have no series yet.
func typeOf(c prometheus.Collector) string {
	switch c.(type) {
	case *prometheus.CounterVec:
		return "counter"
	case *prometheus.GaugeVec:
		return "gauge"
	case *prometheus.HistogramVec:
		return "histogram"
	default:
		return ""
	}
}

// add takes over the type and the label values of a series.
func (m *Metric) add(t testing.TB, series prometheus.Metric) {
	t.Helper()
	var value dto.Metric
	if err := series.Write(&value); err != nil {
		t.Fatal(err)
	}
	switch {
	case value.Counter != nil:
		m.Type = "counter"
	case value.Gauge != nil:
		m.Type = "gauge"
	case value.Histogram != nil:
		m.Type = "histogram"
	}
	for _, pair := range value.GetLabel() {
		for i := range m.Labels {
			if l := &m.Labels[i]; l.Name == pair.GetName() && !slices.Contains(l.Values, pair.GetValue()) {
				l.Values = append(l.Values, pair.GetValue())
			}
		}
	}
}

// closedSets are the labels whose values a table lists. The others are numbers, topics, or ClickHouse's codes.
var closedSets = map[string]bool{"reason": true, "limit": true, "route": true, "processor": true}

// MetricsTable is a Markdown table of metrics: name, type, labels with their values, help.
func MetricsTable(all []Metric) string {
	var out strings.Builder
	out.WriteString("| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, m := range all {
		labels := make([]string, 0, len(m.Labels))
		for _, l := range m.Labels {
			text := "`" + l.Name + "`"
			if closedSets[l.Name] {
				values := slices.Sorted(slices.Values(l.Values))
				text += ": " + strings.Join(values, ", ")
			}
			labels = append(labels, text)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", m.Name, m.Type, strings.Join(labels, "; "), cell(m.Help))
	}
	return out.String()
}
