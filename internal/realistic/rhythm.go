package realistic

import (
	"math"
	"sort"
	"time"
)

const (
	hourMillis = 3_600_000
	dayMillis  = 24 * hourMillis
)

// rhythm distributes events over the hours of the period.
type rhythm struct {
	from  int64     // Unix milliseconds
	until int64     // Unix milliseconds
	share []float64 // of the events before each hour, from 0 to 1
}

func newRhythm(until int64, days int) rhythm {
	r := rhythm{from: until - int64(days)*dayMillis, until: until, share: make([]float64, days*24+1)}
	for i := range days * 24 {
		at := time.UnixMilli(r.from + int64(i)*hourMillis + hourMillis/2).UTC()
		growth := 1 + 0.25*float64(i)/float64(days*24)
		r.share[i+1] = r.share[i] + busy(at)*growth
	}
	for i := range r.share {
		r.share[i] /= r.share[len(r.share)-1]
	}
	r.share[len(r.share)-1] = 1
	return r
}

// busy is how much happens in an hour: most in the afternoon and evening of working days in Europe.
func busy(at time.Time) float64 {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	day := 0.5 - 0.5*math.Cos(2*math.Pi*(hour-3.5)/24)
	weight := 0.22 + 0.78*math.Pow(day, 1.3)
	switch at.Weekday() {
	case time.Saturday:
		return 0.62 * weight
	case time.Sunday:
		return 0.7 * weight
	case time.Monday:
		return 1.08 * weight
	default:
		return weight
	}
}

// at returns the time before which a share of the events lies, in Unix milliseconds.
func (r *rhythm) at(share float64) int64 {
	i := sort.SearchFloat64s(r.share, share)
	if i == 0 {
		return r.from
	}
	if i == len(r.share) {
		return r.until
	}
	within := (share - r.share[i-1]) / (r.share[i] - r.share[i-1])
	return r.from + int64((float64(i-1)+within)*hourMillis)
}
