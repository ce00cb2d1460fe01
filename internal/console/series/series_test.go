package series

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, text string) Reading {
	t.Helper()
	r, err := Parse(strings.NewReader(text))
	require.NoError(t, err)
	return r
}

func TestIncrease(t *testing.T) {
	before := parse(t, `
# TYPE a counter
a{reason="x",protocol="p"} 10
a{reason="x",protocol="q"} 5
a{reason="y",protocol="p"} 100
`)
	now := parse(t, `
# TYPE a counter
a{reason="x",protocol="p"} 13
a{reason="x",protocol="q"} 9
a{reason="y",protocol="p"} 4
a{reason="z",protocol="p"} 2
`)
	require.Equal(t, map[string]float64{"x": 7, "y": 4, "z": 2}, Increase(before, now, "a", "reason"),
		"y fell: it was started anew; z is new")
	require.Equal(t, map[string]float64{"": 13}, Increase(before, now, "a", ""))
	require.Empty(t, Increase(before, now, "b", ""), "no such metric")
	require.Equal(t, map[string]float64{"x/p": 13, "x/q": 9, "y/p": 4, "z/p": 2}, now.By("a", "reason", "protocol"))
	require.InDelta(t, 28, now.Gauge("a"), 0)
}

// The increase of a histogram and its quantiles are those of what was observed in between.
func TestObserved(t *testing.T) {
	registry := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Buckets: []float64{1, 2, 4}})
	registry.MustRegister(h)
	h.Observe(100)
	before, err := Gather(registry)
	require.NoError(t, err)
	require.True(t, math.IsNaN(Observed(before, before, "h").Quantile(.5)), "nothing observed")
	for range 10 {
		h.Observe(1.5)
	}
	now, err := Gather(registry)
	require.NoError(t, err)
	got := Observed(before, now, "h")
	require.InDelta(t, 10, got.Total(), 0)
	require.InDelta(t, 1.5, got.Quantile(.5), 1e-9, "linear within the bucket 1 to 2")
	require.InDelta(t, 2, got.Quantile(1), 1e-9)
	require.InDelta(t, 1, got.Quantile(0), 1e-9)

	h.Observe(9)
	after, err := Gather(registry)
	require.NoError(t, err)
	require.InDelta(t, 4, Observed(now, after, "h").Quantile(.99), 0, "above all bounds: the highest")
	require.InDelta(t, 20, got.Plus(got).Total(), 0)
	require.InDelta(t, 1.5, got.Plus(got).Quantile(.5), 1e-9)
	require.InDelta(t, 10, Histogram{}.Plus(got).Total(), 0)
	require.InDelta(t, 12, Observed(Reading{}, after, "h").Total(), 0, "a process that is new")

	text := parse(t, "# TYPE h histogram\nh_bucket{le=\"1\"} 0\nh_bucket{le=\"2\"} 10\nh_bucket{le=\"4\"} 10\nh_bucket{le=\"+Inf\"} 10\nh_sum 15\nh_count 10\n")
	require.InDelta(t, 1.5, Observed(Reading{}, text, "h").Quantile(.5), 1e-9, "the text format has a bucket for +Inf")
	require.InDelta(t, 10, Observed(now, text, "h").Total(), 0, "fewer than before: started anew")
}

func TestParseRefusesOther(t *testing.T) {
	_, err := Parse(strings.NewReader("<html>"))
	require.ErrorContains(t, err, "parse metrics")
}

func at(i int) time.Time { return time.UnixMilli(int64(1000 * i)) }

// A store keeps as many samples as it has room for: one fewer, as many, and one more.
func TestStoreKeepsTheLast(t *testing.T) {
	for added, want := range map[int][]int64{0: {}, 2: {0, 1000}, 3: {0, 1000, 2000}, 4: {1000, 2000, 3000}, 8: {5000, 6000, 7000}} {
		s := NewStore(3)
		for i := range added {
			s.Add(at(i), map[string]float64{"n": float64(i + 1)})
		}
		w := s.Since(-1)
		require.Equal(t, want, w.Times, "%d added", added)
		for i, ms := range want {
			require.InDelta(t, float64(ms)/1000+1, w.Series["n"][i], 0)
		}
		require.Len(t, s.Last(2).Times, min(2, len(want)))
	}
}

func TestStoreSince(t *testing.T) {
	s := NewStore(10)
	for i := range 5 {
		s.Add(at(i), map[string]float64{"n": 1})
	}
	require.Equal(t, []int64{3000, 4000}, s.Since(2000).Times)
	require.Equal(t, []int64{3000, 4000}, s.Since(2999).Times)
	require.Empty(t, s.Since(4000).Times)
	require.Empty(t, s.Since(math.MaxInt64).Times)
	require.Len(t, s.Since(math.MinInt64).Times, 5)
}

// A series begins with its first number other than zero, and has none where a sample does not name it.
func TestStoreSeriesBegin(t *testing.T) {
	s := NewStore(4)
	s.Add(at(0), map[string]float64{"a": 0, "b": math.NaN()})
	s.Add(at(1), map[string]float64{"a": 2.5})
	s.Add(at(2), map[string]float64{})
	s.Add(at(3), map[string]float64{"a": 0})
	w := s.Since(-1)
	require.NotContains(t, w.Series, "b")
	text, err := json.Marshal(w)
	require.NoError(t, err)
	require.JSONEq(t, `{"times":[0,1000,2000,3000],"series":{"a":[null,2.5,null,0]}}`, string(text))
}

// The number of series is bounded, whatever a process exposes.
func TestStoreIsBounded(t *testing.T) {
	for _, n := range []int{MaxSeries - 1, MaxSeries, MaxSeries + 1} {
		s := NewStore(2)
		values := map[string]float64{}
		for i := range n {
			values[strconv.Itoa(i)] = 1
		}
		s.Add(at(0), values)
		require.Len(t, s.Since(-1).Series, min(n, MaxSeries))
	}
}
