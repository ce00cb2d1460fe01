package gateway

import (
	"sync"
	"time"
)

// limiter is one project's rate limit: a token bucket that counts events.
//
// The bucket holds `events` tokens and fills in `window`, so that in T seconds at most events × (1 + T/window) pass, and a
// sender that waits one window finds the whole limit there. All arithmetic is in whole microseconds × events, so nothing is
// gained or lost by rounding: one event costs window µs, and each µs that passes pays back `events` of those units.
//
// Safe for concurrent use.
type limiter struct {
	events int64
	window time.Duration
	exact  bool // Retry-After is the shortest wait that helps, instead of the window

	start time.Time // with its monotonic reading, so that a clock that is set moves nothing

	mu    sync.Mutex
	level int64 // units in the bucket
	at    int64 // µs since start for which level was computed
}

// Bounds of a limit: their product in units stays within an int64.
const (
	maxLimitEvents = 100_000_000
	maxLimitWindow = 24 * time.Hour
)

func newLimiter(events int, window time.Duration, exact bool, now time.Time) *limiter {
	l := &limiter{events: int64(events), window: window, exact: exact, start: now}
	l.level = l.full()
	return l
}

func (l *limiter) full() int64 { return l.events * l.cost() }
func (l *limiter) cost() int64 { return l.window.Microseconds() }

// refill brings the level up to now. Callers read the clock before they have the lock, so a reading may be older than the
// last one: it pays nothing, and at stays, or the time between the two would be paid twice.
func (l *limiter) refill(now time.Time) {
	t := now.Sub(l.start).Microseconds()
	passed := t - l.at
	if passed <= 0 {
		return
	}
	l.at = t
	// The time until the bucket is full is asked first: level + passed × events can be more than an int64 holds.
	if missing := l.full() - l.level; passed >= (missing+l.events-1)/l.events {
		l.level = l.full()
		return
	}
	l.level += passed * l.events
}

// take charges up to n events and returns how many it charged.
func (l *limiter) take(n int, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(now)
	got := min(int64(n), l.level/l.cost())
	l.level -= got * l.cost()
	return int(got)
}

// takeAll charges n events or none.
func (l *limiter) takeAll(n int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(now)
	if l.level < int64(n)*l.cost() {
		return false
	}
	l.level -= int64(n) * l.cost()
	return true
}

// refund gives back what an event that was not kept had cost.
func (l *limiter) refund(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.level = min(l.full(), l.level+int64(n)*l.cost())
}

// quota is what a client is told about its limit.
type quota struct {
	left  int           // events that would pass now
	whole time.Duration // until the whole limit is there
}

func (l *limiter) quota(now time.Time) quota {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refill(now)
	missing := l.full() - l.level
	return quota{
		left:  int(l.level / l.cost()),
		whole: time.Duration((missing+l.events-1)/l.events) * time.Microsecond,
	}
}

// retryAfter is how many seconds a client that was refused n events is told to wait, at least 1.
func (l *limiter) retryAfter(n int, now time.Time) int {
	if !l.exact {
		return max(1, int((l.window+time.Second-1)/time.Second))
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
