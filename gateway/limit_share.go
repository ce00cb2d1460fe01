package gateway

import (
	"math"
	"time"
)

// filling is a bucket as one gateway believes it to be: a level at a time, in events, that rises. It is what the store last
// said, or this gateway's share of it while the store is away; the store's own books are exact, these need not be.
type filling struct {
	level, full float64
	perSecond   float64
	at          time.Time
}

// now is the level at a time. A reading of the clock that is older than the level's changes nothing.
func (f *filling) now(t time.Time) float64 {
	if t.Before(f.at) {
		return f.level
	}
	return min(f.full, f.level+t.Sub(f.at).Seconds()*f.perSecond)
}

// add moves the level, up to full.
func (f *filling) add(events float64, t time.Time) {
	f.level = min(f.full, f.now(t)+events)
	if t.After(f.at) {
		f.at = t
	}
}

// whole is how many events a level, which may be less than nothing, is enough for. Sums of fractions may end a hair below the number they should be.
func whole(level float64) int { return max(0, int(math.Floor(level+1e-9))) }

// share is what a gateway goes by while the store is away: the n-th part of the limit, from the n-th part of what was left
// when the store was last heard of. A share holds at least one event, or small limits would let nothing pass.
type share struct {
	filling
	used int // events that passed and the store knows nothing of
}

func newShare(of *filling, n int, now time.Time) *share {
	parts := float64(max(1, n))
	full := max(1, of.full/parts)
	return &share{filling: filling{
		level: min(full, of.now(now)/parts), full: full, perSecond: of.perSecond / parts, at: now,
	}}
}

func (s *share) take(n int, all bool, now time.Time) int {
	got := min(n, whole(s.now(now)))
	if all && got < n {
		got = 0
	}
	s.add(-float64(got), now)
	s.used += got
	return got
}

// refund gives back events, of those that passed, and returns how many it has no record of.
func (s *share) refund(n int) int {
	mine := min(n, s.used)
	s.used -= mine
	s.add(float64(mine), s.at)
	return n - mine
}

// owed is what the store is to be charged when it is back. Where it kept its books, that is what passed here meanwhile, but
// not what has been there again since in any case; where it lost them and every bucket is full, what is missing here. With
// either, the parts of all gateways add up to what the store would say had it been there.
func (s *share) owed(lost bool, now time.Time) int {
	missing := int(math.Ceil(s.full - s.now(now) - 1e-9))
	if lost {
		return missing
	}
	return min(s.used, missing)
}
