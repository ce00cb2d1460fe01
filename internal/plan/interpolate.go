package plan

import (
	"math"
	"slices"
)

// slowest is the lowest rate of requests that costs are reckoned for, in requests per second and gateway.
const slowest = 1

// RequestAt returns the cost of a request with one event of this size at so many requests per second and gateway. It
// lies on a straight line in logarithmic scales between two measured rates, and below them on the first of these
// lines. Above the highest rate it stays as it is there.
func (s SizeCost) RequestAt(perSecond float64) RequestCost {
	points := s.Requests
	last := points[len(points)-1]
	if perSecond >= last.PerSecond || len(points) == 1 {
		last.PerSecond = perSecond
		return last
	}
	i := 1
	for perSecond > points[i].PerSecond {
		i++
	}
	low, high := points[i-1], points[i]
	way := math.Log(max(perSecond, slowest)/low.PerSecond) / math.Log(high.PerSecond/low.PerSecond)
	line := func(a, b float64) float64 { return geometric(a, b, way) }
	return RequestCost{
		PerSecond:  perSecond,
		Gateway:    line(low.Gateway, high.Gateway),
		Broker:     line(low.Broker, high.Broker),
		Consumer:   line(low.Consumer, high.Consumer),
		BatchBytes: min(line(low.BatchBytes, high.BatchBytes), points[0].BatchBytes),
		SentBytes:  min(line(low.SentBytes, high.SentBytes), points[0].SentBytes),
	}
}

// busiest returns the cost of a request on a gateway that is used to its limit.
func (s SizeCost) busiest() RequestCost { return s.Requests[len(s.Requests)-1] }

// geometric is for costs that may be zero, where it falls back to a straight line.
func geometric(low, high, way float64) float64 {
	if low <= 0 || high <= 0 {
		return low + (high-low)*max(way, 0)
	}
	return low * math.Pow(high/low, way)
}

// size returns the costs of an event of this size: on the line through the two nearest measured sizes, also beyond
// them, and never below a quarter of the smallest measured size's.
func (f Figures) size(bytes float64) SizeCost {
	if len(f.Sizes) == 1 {
		only := f.Sizes[0]
		only.EventBytes = bytes
		return only
	}
	i := 1
	for i < len(f.Sizes)-1 && bytes > f.Sizes[i].EventBytes {
		i++
	}
	low, high := f.Sizes[i-1], f.Sizes[i]
	way := (bytes - low.EventBytes) / (high.EventBytes - low.EventBytes)
	line := func(a, b float64) float64 { return max(a+(b-a)*way, min(a, b)/4) }
	return SizeCost{
		EventBytes: bytes,
		Gateway:    line(low.Gateway, high.Gateway),
		Gzip:       line(low.Gzip, high.Gzip),
		Broker:     line(low.Broker, high.Broker),
		Consumer:   line(low.Consumer, high.Consumer),
		Row:        line(low.Row, high.Row),
		Merge:      line(low.Merge, high.Merge),
		Requests:   requestsBetween(low, high, line),
		Bytes: Bytes{
			Gzip:    line(low.Bytes.Gzip, high.Bytes.Gzip),
			Request: line(low.Request, high.Request),
			Answer:  line(low.Answer, high.Answer),
			Kafka:   line(low.Kafka, high.Kafka),
			Insert:  line(low.Insert, high.Insert),
			Disk:    line(low.Disk, high.Disk),
		},
	}
}

// requestsBetween gives the costs of requests of a size between two others, at each rate at which one of these was
// measured.
func requestsBetween(low, high SizeCost, line func(low, high float64) float64) (out []RequestCost) {
	rates := []float64{}
	for _, r := range slices.Concat(low.Requests, high.Requests) {
		rates = append(rates, r.PerSecond)
	}
	slices.Sort(rates)
	for _, rate := range slices.Compact(rates) {
		a, b := low.RequestAt(rate), high.RequestAt(rate)
		out = append(out, RequestCost{
			PerSecond:  rate,
			Gateway:    line(a.Gateway, b.Gateway),
			Broker:     line(a.Broker, b.Broker),
			Consumer:   line(a.Consumer, b.Consumer),
			BatchBytes: line(a.BatchBytes, b.BatchBytes),
			SentBytes:  line(a.SentBytes, b.SentBytes),
		})
	}
	return out
}
