package ratelimit

import (
	"math"
	"sync"
	"time"
)

// Limiter is the rate limit of one project: a token bucket that counts events. Safe for concurrent use.
//
// The bucket holds `events` tokens and fills in `window`. In T seconds at most events × (1 + T/window) pass. A sender
// that waits one window has the whole limit again.
//
// The arithmetic is in whole microseconds × events, so rounding neither adds nor loses anything: an event costs as
// many units as the window has microseconds, and each microsecond pays back `events` units.
type Limiter struct {
	limit  Limit
	events int64
	window time.Duration

	start time.Time // has a monotonic reading, so a clock that is set changes nothing

	// shared, if set, replaces the bucket below. It is set before the limiter is used and does not change.
	shared sharedBucket

	mu    sync.Mutex
	level int64 // units in the bucket
	at    int64 // time of level, in µs since start
}

// sharedBucket is a bucket that several gateways draw on.
//
// Implementations are safe for concurrent use. take and takeAll may wait for a bounded time; the other methods do not
// wait. No method fails: an implementation that cannot reach the others decides alone.
type sharedBucket interface {
	// take charges up to n events and returns how many it charged.
	take(n int, now time.Time) int
	// takeAll charges n events or none.
	takeAll(n int, now time.Time) bool
	// refund returns the charge of n events.
	refund(n int)
	// snapshot returns the bucket as this gateway knows it.
	snapshot(now time.Time) snapshot
}

// snapshot is a bucket at one moment, in events.
type snapshot struct {
	level, full float64
	perSecond   float64 // refill
}

// seconds returns how long the bucket takes to reach a level.
func (s snapshot) seconds(level float64) float64 { return max(0, level-s.level) / s.perSecond }

// Bounds of a limit. The product of MaxEvents and the microseconds of MaxWindow fits an int64.
const (
	MaxEvents = 100_000_000
	MaxWindow = 24 * time.Hour
)

// Limit is a rate limit: Events in each Window.
type Limit struct {
	Events int           // 1 to MaxEvents
	Window time.Duration // 1 s to MaxWindow, in whole microseconds
	// ExactRetryAfter makes RetryAfter return the shortest wait that helps, in place of the window.
	ExactRetryAfter bool
}

// New returns a limiter with a full bucket, for a limit within its bounds. now is a reading of the clock whose later
// readings the other methods get.
func New(limit Limit, now time.Time) *Limiter {
	l := &Limiter{limit: limit, events: int64(limit.Events), window: limit.Window, start: now}
	l.level = l.full()
	return l
}

// Limit returns the limit that the limiter was made for.
func (l *Limiter) Limit() Limit { return l.limit }

func (l *Limiter) full() int64 { return l.events * l.cost() }
func (l *Limiter) cost() int64 { return l.window.Microseconds() }

// refill brings the level up to now. Callers read the clock before they hold the lock, so now may be older than the
// last one. Such a reading pays nothing, and `at` stays: otherwise the time between the two would be paid twice.
func (l *Limiter) refill(now time.Time) {
	t := now.Sub(l.start).Microseconds()
	passed := t - l.at
	if passed <= 0 {
		return
	}
	l.at = t
	// The comparison is of times because level + passed × events may overflow an int64.
	if missing := l.full() - l.level; passed >= (missing+l.events-1)/l.events {
		l.level = l.full()
		return
	}
	l.level += passed * l.events
}

// Take charges up to n events and returns how many it charged. A shared limiter may wait for the store, for a bounded
// time.
func (l *Limiter) Take(n int, now time.Time) int {
	if l.shared != nil {
		return l.shared.take(n, now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(now)
	got := min(int64(n), l.level/l.cost())
	l.level -= got * l.cost()
	return int(got)
}

// TakeAll charges n events or none, and reports which. A shared limiter may wait for the store, for a bounded time.
func (l *Limiter) TakeAll(n int, now time.Time) bool {
	if l.shared != nil {
		return l.shared.takeAll(n, now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(now)
	if l.level < int64(n)*l.cost() {
		return false
	}
	l.level -= int64(n) * l.cost()
	return true
}

// Refund returns the charge of n events that were not kept.
func (l *Limiter) Refund(n int) {
	if l.shared != nil {
		l.shared.refund(n)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.level = min(l.full(), l.level+int64(n)*l.cost())
}

// Quota is what is left of a limit.
type Quota struct {
	Remaining int           // events that would pass now
	Reset     time.Duration // until the whole limit is available
}

// Quota returns what is left of the limit. It does not wait.
func (l *Limiter) Quota(now time.Time) Quota {
	if l.shared != nil {
		s := l.shared.snapshot(now)
		reset := time.Duration(math.Round(s.seconds(s.full)*1e6)) * time.Microsecond
		return Quota{Remaining: wholeEvents(s.level), Reset: reset}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(now)
	missing := l.full() - l.level
	return Quota{
		Remaining: int(l.level / l.cost()),
		Reset:     time.Duration((missing+l.events-1)/l.events) * time.Microsecond,
	}
}

// RetryAfter returns how many seconds a client should wait after n of its events were refused. It is at least 1. It
// does not wait for the store.
func (l *Limiter) RetryAfter(n int, now time.Time) int {
	if !l.limit.ExactRetryAfter {
		return max(1, int((l.window+time.Second-1)/time.Second))
	}
	return l.PassesAfter(n, now)
}

// PassesAfter returns after how many seconds n events would pass, rounded up. It is at least 1. It does not wait for
// the store.
func (l *Limiter) PassesAfter(n int, now time.Time) int {
	if l.shared != nil {
		// Fractions of events may be off by a millionth of a second.
		seconds := l.shared.snapshot(now).seconds(float64(min(int64(n), l.events)))
		return int(max(1, math.Ceil(seconds-1e-6)))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(now)
	missing := min(int64(n), l.events)*l.cost() - l.level
	if missing <= 0 {
		return 1
	}
	perSecond := l.events * time.Second.Microseconds()
	return int(max(1, (missing+perSecond-1)/perSecond))
}
