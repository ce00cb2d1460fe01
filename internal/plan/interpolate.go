package plan

import "math"

// RequestAt returns the cost of a request at so many requests per second and gateway. Between two measured rates it lies
// on a straight line in logarithmic scales, and beyond them it is that of the nearest.
func (f Figures) RequestAt(perSecond float64) RequestCost {
	points := f.Requests
	if perSecond <= points[0].PerSecond || len(points) == 1 {
		return at(points[0], perSecond)
	}
	for i := 1; i < len(points); i++ {
		low, high := points[i-1], points[i]
		if perSecond > high.PerSecond {
			continue
		}
		way := math.Log(perSecond/low.PerSecond) / math.Log(high.PerSecond/low.PerSecond)
		return RequestCost{
			PerSecond: perSecond,
			Gateway:   geometric(low.Gateway, high.Gateway, way),
			Broker:    geometric(low.Broker, high.Broker, way),
			Consumer:  geometric(low.Consumer, high.Consumer, way),
		}
	}
	return at(points[len(points)-1], perSecond)
}

// busiest returns the cost of a request on a gateway that is used to its limit.
func (f Figures) busiest() RequestCost { return f.Requests[len(f.Requests)-1] }

func at(r RequestCost, perSecond float64) RequestCost {
	r.PerSecond = perSecond
	return r
}

// geometric is for costs that may be zero, where it falls back to a straight line.
func geometric(low, high, way float64) float64 {
	if low <= 0 || high <= 0 {
		return low + (high-low)*way
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
		Request:    line(low.Request, high.Request),
		Bytes: Bytes{
			Gzip:    line(low.Bytes.Gzip, high.Bytes.Gzip),
			Request: line(low.Bytes.Request, high.Bytes.Request),
			Answer:  line(low.Answer, high.Answer),
			Kafka:   line(low.Kafka, high.Kafka),
			Batch:   line(low.Batch, high.Batch),
			Insert:  line(low.Insert, high.Insert),
			Disk:    line(low.Disk, high.Disk),
		},
	}
}
