package plan

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaultFigures(t *testing.T) {
	t.Parallel()
	f, err := Default()
	require.NoError(t, err)
	require.NotEmpty(t, f.Origin)
	require.GreaterOrEqual(t, len(f.Sizes), 2, "measured at two sizes")
	for _, s := range f.Sizes {
		require.GreaterOrEqual(t, len(s.Requests), 3, "measured at several rates")
	}
	for _, value := range f.values()[4:] {
		require.Positive(t, value, "every figure but the idle cores was measured")
	}
}

func TestParseFigures(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(easy())
	require.NoError(t, err)
	f, err := Parse(text)
	require.NoError(t, err)
	require.Equal(t, easy(), f)

	for name, broken := range map[string]func(*Figures){
		"no requests":     func(f *Figures) { f.Sizes[1].Requests = nil },
		"no sizes":        func(f *Figures) { f.Sizes = nil },
		"rates fall":      func(f *Figures) { f.Sizes[1].Requests[0].PerSecond = 10_001 },
		"a rate twice":    func(f *Figures) { f.Sizes[0].Requests[0].PerSecond = 10_000 },
		"sizes fall":      func(f *Figures) { f.Sizes[0].EventBytes = 1201 },
		"negative":        func(f *Figures) { f.Insert.ClickHouse = -1 },
		"beyond":          func(f *Figures) { f.Insert.ClickHouse = mostFigure + 1 },
		"infinite":        func(f *Figures) { f.Idle.Broker = math.Inf(1) },
		"not a number":    func(f *Figures) { f.Sizes[1].Disk = math.NaN() },
		"free of charge":  func(f *Figures) { f.Sizes[1].Row = 0 },
		"takes no disk":   func(f *Figures) { f.Sizes[1].Disk = 0 },
		"rate of nothing": func(f *Figures) { f.Sizes[1].Requests[0].PerSecond = 0 },
		"size of nothing": func(f *Figures) { f.Sizes[0].EventBytes = 0 },
	} {
		f := easy()
		broken(&f)
		require.Error(t, f.Check(), name)
		_, err := Compute(usual(), f)
		require.Error(t, err, name)
	}
	for _, text := range []string{"", "null", "{}", "[]", "nonsense", `{"sizes": 3}`} {
		_, err := Parse([]byte(text))
		require.ErrorContains(t, err, "not figures of sluice plan", text)
	}
}

// The largest figures with the largest load are still numbers.
func TestLargestFigures(t *testing.T) {
	t.Parallel()
	f := easy()
	f.Sizes[1].Row, f.Sizes[1].Disk, f.Sizes[1].Kafka, f.Sizes[1].Gateway = mostFigure, mostFigure, mostFigure, mostFigure
	f.Sizes[1].Requests[1].Gateway = mostFigure
	p, err := Compute(with(func(l *Load) {
		l.EventsPerSecond, l.PeakFactor, l.EventBytes = mostEvents, 1000, mostEventBytes
		l.Machines = Machines{Headroom: 0.9, Cores: 0.1, ServerCores: 0.1, ServerDisk: 1e9, NetworkBytes: 1e6}
	}), f)
	require.NoError(t, err)
	requireFinite(t, p)
	require.Contains(t, codes(p), "no_catch_up")
}

func TestRequestAt(t *testing.T) {
	t.Parallel()
	f := easy().Sizes[0]
	for rate, want := range map[float64]float64{
		100: 400, 1000: math.Sqrt(400 * 40), 10_000: 40,
		10_001: 40, 1e9: 40, // beyond the highest
		10: 400 * math.Sqrt(10), 1: 4000, 0: 4000, // on the line below the lowest, down to one a second
	} {
		require.InDelta(t, want, f.RequestAt(rate).Gateway, 1e-6, rate)
	}
	require.InDelta(t, 200, f.RequestAt(1).SentBytes, 1e-9)
	require.InDelta(t, 200, f.RequestAt(1).BatchBytes, 1e-9, "a batch of one event is the smallest")

	f.Requests[1].Consumer = 0 // no logarithm
	require.InDelta(t, 50, f.RequestAt(1000).Consumer, 1e-9)
	require.InDelta(t, 100, f.RequestAt(1).Consumer, 1e-9)
	f.Requests = f.Requests[:1]
	require.InDelta(t, 400, f.RequestAt(5).Gateway, 1e-9)
	require.InDelta(t, 400, f.RequestAt(5000).Gateway, 1e-9)
}

func TestSize(t *testing.T) {
	t.Parallel()
	f := easy()
	for bytes, want := range map[float64]float64{
		200: 1, 700: 3.5, 1200: 6, 2200: 11,
		100: 0.5, 1: 0.25, // never below a quarter of the smallest
	} {
		require.InDelta(t, want, f.size(bytes).Gateway, 1e-9, bytes)
	}
	middle := f.size(700)
	require.InDelta(t, 250, middle.Kafka, 1e-9)
	require.InDelta(t, 150, middle.Bytes.Gzip, 1e-9)
	require.Len(t, middle.Requests, 2)
	require.InDelta(t, 600, middle.RequestAt(100).Gateway, 1e-9)
	require.InDelta(t, 30, middle.busiest().BatchBytes, 1e-9)
	f.Sizes = append(f.Sizes, SizeCost{EventBytes: 2200, Gateway: 6, Consumer: 1, Row: 1,
		Requests: f.Sizes[1].Requests})
	require.InDelta(t, 6, f.size(1700).Gateway, 1e-9, "between the second and the third")
	f.Sizes = f.Sizes[:1]
	require.InDelta(t, 1, f.size(5000).Gateway, 1e-9, "only one size was measured")
}
