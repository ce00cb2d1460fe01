package series

import (
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// Histogram is observations in buckets. Its zero value has none.
type Histogram struct {
	bounds []float64 // upper bounds, ascending; the last one may be +Inf
	counts []float64 // observations at or below each bound
	total  float64
}

// Observed returns what a histogram observed between two readings of one process.
func Observed(before, now Reading, name string) Histogram {
	after := whole(now[name])
	earlier := whole(before[name])
	if after.total < earlier.total || !slices.Equal(after.bounds, earlier.bounds) {
		return after // started anew, or not there before
	}
	for i := range after.counts {
		after.counts[i] -= earlier.counts[i]
	}
	after.total -= earlier.total
	return after
}

// whole returns the sum of a family's histograms.
func whole(f *dto.MetricFamily) Histogram {
	var sum Histogram
	for _, m := range f.GetMetric() {
		var h Histogram
		for _, b := range m.GetHistogram().GetBucket() {
			if math.IsInf(b.GetUpperBound(), 1) {
				continue // only the text format has this bucket; total says the same
			}
			h.bounds = append(h.bounds, b.GetUpperBound())
			h.counts = append(h.counts, float64(b.GetCumulativeCount()))
		}
		h.total = float64(m.GetHistogram().GetSampleCount())
		sum = sum.Plus(h)
	}
	return sum
}

// Plus returns the observations of both. Histograms with other buckets cannot be added: the one with observations
// counts then.
func (h Histogram) Plus(other Histogram) Histogram {
	switch {
	case other.total == 0:
		return h
	case h.total == 0 || !slices.Equal(h.bounds, other.bounds):
		return other
	}
	sum := Histogram{bounds: h.bounds, counts: slices.Clone(h.counts), total: h.total + other.total}
	for i := range sum.counts {
		sum.counts[i] += other.counts[i]
	}
	return sum
}

// Total returns the number of observations.
func (h Histogram) Total() float64 { return h.total }

// Quantile estimates a quantile, 0 to 1, as Prometheus' histogram_quantile does: linear within a bucket, and the
// highest bound for an observation above all bounds. It returns NaN without observations.
func (h Histogram) Quantile(q float64) float64 {
	if h.total == 0 || len(h.bounds) == 0 {
		return math.NaN()
	}
	rank := q * h.total
	i, _ := slices.BinarySearch(h.counts, rank)
	if i == len(h.counts) {
		return h.bounds[len(h.bounds)-1]
	}
	low, below := 0.0, 0.0
	if i > 0 {
		low, below = h.bounds[i-1], h.counts[i-1]
	}
	within := h.counts[i] - below
	if within == 0 {
		return h.bounds[i]
	}
	return low + (h.bounds[i]-low)*(rank-below)/within
}
