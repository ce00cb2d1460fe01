package series

import (
	"math"
	"strconv"
	"sync"
	"time"
)

// MaxSeries is the most series that a [Store] keeps. With 720 samples it needs 256 × 720 × 4 bytes then: 0.7 MiB.
const MaxSeries = 256

// Store keeps the last samples of named series. Many may read it while one adds.
type Store struct {
	mu      sync.Mutex
	samples int
	added   int     // samples ever added
	times   []int64 // Unix milliseconds; sample i is at i modulo samples
	series  map[string][]float32
}

// NewStore returns a store of that many samples.
func NewStore(samples int) *Store {
	return &Store{samples: samples, times: make([]int64, samples), series: map[string][]float32{}}
}

// Add adds one sample of each series. NaN means that there is no number. A series begins with its first number other
// than zero: until then, and where a sample does not name it, it has no number. A series beyond [MaxSeries] is ignored.
func (s *Store) Add(at time.Time, values map[string]float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.added % s.samples
	s.times[i] = at.UnixMilli()
	s.added++
	for name, v := range values {
		if s.series[name] == nil && v != 0 && !math.IsNaN(v) {
			s.begin(name)
		}
	}
	for name, ring := range s.series {
		v, ok := values[name]
		if !ok {
			v = math.NaN()
		}
		ring[i] = float32(v)
	}
}

func (s *Store) begin(name string) {
	if len(s.series) >= MaxSeries {
		return
	}
	ring := make([]float32, s.samples)
	for i := range ring {
		ring[i] = float32(math.NaN())
	}
	s.series[name] = ring
}

// Window is consecutive samples, the oldest first.
type Window struct {
	// Times are in Unix milliseconds.
	Times []int64 `json:"times"`
	// Series have a number for each of Times.
	Series map[string]Numbers `json:"series"`
}

// Numbers are samples of a series. In JSON, NaN is null and a number has at most six digits.
type Numbers []float32

// MarshalJSON is part of json.Marshaler.
func (n Numbers) MarshalJSON() ([]byte, error) {
	out := append(make([]byte, 0, 2+8*len(n)), '[')
	for i, v := range n {
		if i > 0 {
			out = append(out, ',')
		}
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			out = append(out, "null"...)
		} else {
			out = strconv.AppendFloat(out, f, 'g', 6, 32)
		}
	}
	return append(out, ']'), nil
}

// Since returns the samples that are later than a time in Unix milliseconds.
func (s *Store) Since(after int64) Window {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := max(0, s.added-s.samples)
	for first < s.added && s.times[first%s.samples] <= after {
		first++
	}
	w := Window{Times: make([]int64, 0, s.added-first), Series: make(map[string]Numbers, len(s.series))}
	for i := first; i < s.added; i++ {
		w.Times = append(w.Times, s.times[i%s.samples])
	}
	for name, ring := range s.series {
		numbers := make(Numbers, 0, s.added-first)
		for i := first; i < s.added; i++ {
			numbers = append(numbers, ring[i%s.samples])
		}
		w.Series[name] = numbers
	}
	return w
}

// Last returns the last samples, at most n.
func (s *Store) Last(n int) Window {
	s.mu.Lock()
	after := int64(math.MinInt64)
	if n < min(s.added, s.samples) {
		after = s.times[(s.added-n-1)%s.samples]
	}
	s.mu.Unlock()
	return s.Since(after)
}
