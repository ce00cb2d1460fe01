package ratelimit

import (
	"math"
	"time"
)

// estimate is one gateway's idea of a bucket: a level at a time, in events, that rises. It is the store's last answer
// or, while the store is away, this gateway's share. It need not be exact; the store's own bucket is.
type estimate struct {
	level, full float64
	perSecond   float64
	at          time.Time
}

// now returns the level at a time. A time before the level's own changes nothing.
func (e *estimate) now(t time.Time) float64 {
	if t.Before(e.at) {
		return e.level
	}
	return min(e.full, e.level+t.Sub(e.at).Seconds()*e.perSecond)
}

// add changes the level, up to full.
func (e *estimate) add(events float64, t time.Time) {
	e.level = min(e.full, e.now(t)+events)
	if t.After(e.at) {
		e.at = t
	}
}

// wholeEvents returns how many events a level is enough for. The level may be negative. Sums of fractions may be
// slightly less than the number they stand for.
func wholeEvents(level float64) int { return max(0, int(math.Floor(level+1e-9))) }

// share is the part of a limit that a gateway applies while the store is away. Of n gateways, each has the n-th part
// of the limit and starts with the n-th part of what was left at the store's last answer. A share holds at least one
// event; otherwise small limits would let nothing pass.
type share struct {
	estimate
	used int // events that passed and that the store does not know of
}

func newShare(of *estimate, n int, now time.Time) *share {
	parts := float64(max(1, n))
	full := max(1, of.full/parts)
	return &share{estimate: estimate{
		level: min(full, of.now(now)/parts), full: full, perSecond: of.perSecond / parts, at: now,
	}}
}

func (s *share) take(n int, all bool, now time.Time) int {
	got := min(n, wholeEvents(s.now(now)))
	if all && got < n {
		got = 0
	}
	s.add(-float64(got), now)
	s.used += got
	return got
}

// refund returns the charge of n events and reports how many of them this share did not charge.
func (s *share) refund(n int) int {
	mine := min(n, s.used)
	s.used -= mine
	s.add(float64(mine), s.at)
	return n - mine
}

// unreported returns how many events the store must be charged for when it is back.
//
// If Redis kept its data: the events admitted during the outage, less what has refilled since. If Redis lost its
// data, all its buckets are full: the events that this share lacks. Over all gateways the charges add up to what the
// bucket would lack if the store had been there.
func (s *share) unreported(lost bool, now time.Time) int {
	missing := int(math.Ceil(s.full - s.now(now) - 1e-9))
	if lost {
		return missing
	}
	return min(s.used, missing)
}
