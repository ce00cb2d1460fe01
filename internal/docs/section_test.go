package docs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestFill(t *testing.T) {
	_, err := fill([]byte("# No markers\n"), "a", "new\n")
	require.ErrorContains(t, err, "<!-- a:begin --> and <!-- a:end -->")
	_, err = fill([]byte("<!-- a:end -->\n<!-- a:begin -->\n"), "a", "new\n")
	require.ErrorContains(t, err, "a:begin")
	require.ErrorContains(t, write(filepath.Join(t.TempDir(), "settings.md"), "a", "new\n"), "settings.md")

	text := "before\n<!-- a:begin -->\nstale\n<!-- a:end -->\nafter\n<!-- b:begin -->\nkept\n<!-- b:end -->\n"
	filled, err := fill([]byte(text), "a", "new\n")
	require.NoError(t, err)
	require.Equal(t, strings.Replace(text, "stale", "new", 1), string(filled))
	again, err := fill(filled, "a", "new\n")
	require.NoError(t, err)
	require.Equal(t, string(filled), string(again))
}

func TestFirstDifference(t *testing.T) {
	for _, tc := range []struct {
		is, should string
		line       int
	}{
		{"", "", 0}, {"a\nb\n", "a\nb\n", 0},
		{"a\nb\n", "a\nc\n", 2}, {"a\n", "a\nb\n", 2}, {"a\nb\n", "a\n", 2}, {"x", "", 1},
	} {
		line, differs := firstDifference(tc.is, tc.should)
		require.Equal(t, tc.line, line, "%q, %q", tc.is, tc.should)
		require.Equal(t, tc.line != 0, differs)
	}
}

func TestMetricsTable(t *testing.T) {
	var r Recorder
	waiting := prometheus.NewGaugeVec(
		prometheus.GaugeOpts{Name: "waiting", Help: `Said "so" | more.`}, []string{"topic"})
	failed := prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "failed_total", Help: "Failures."}, []string{"reason", "code"})
	failed.WithLabelValues("timeout", "1")
	failed.WithLabelValues("leader", "2")
	took := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "took_seconds", Help: "Time."})
	r.MustRegister(waiting, failed, took)
	require.Equal(t, "| metric | type | labels | meaning |\n|---|---|---|---|\n"+
		"| `failed_total` | counter | `reason`: leader, timeout; `code` | Failures. |\n"+
		"| `took_seconds` | histogram |  | Time. |\n"+
		"| `waiting` | gauge | `topic` | Said \"so\" \\| more. |\n", MetricsTable(r.Metrics(t)))
}
