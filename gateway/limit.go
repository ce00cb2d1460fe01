package gateway

import (
	"math"
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

	// shared, if set, is the bucket in the place of the one below. It is set before the limiter is used and then stays.
	shared sharedBucket

	mu    sync.Mutex
	level int64 // units in the bucket
	at    int64 // µs since start for which level was computed
}

// sharedBucket is a bucket that several gateways draw from. Implementations are safe for concurrent use; they may make a
// caller wait, for a bounded time and only in take and takeAll, and they never fail: what they cannot ask they decide.
type sharedBucket interface {
	// take charges up to n events and returns how many it charged.
	take(n int, now time.Time) int
	// takeAll charges n events or none.
	takeAll(n int, now time.Time) bool
	// refund gives back what n events had cost that were charged before.
	refund(n int)
	// standing is what the bucket is known to hold, without asking anybody.
	standing(now time.Time) standing
}

// standing is a bucket at one moment, in events.
type standing struct {
	level, full float64
	perSecond   float64 // how fast it fills
}

// seconds is how long it takes until level events are there.
func (s standing) seconds(level float64) float64 { return max(0, level-s.level) / s.perSecond }

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

// takeAll charges n events or none.
func (l *limiter) takeAll(n int, now time.Time) bool {
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

// refund gives back what an event that was not kept had cost.
func (l *limiter) refund(n int) {
	if l.shared != nil {
		l.shared.refund(n)
		return
	}
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
	if l.shared != nil {
		s := l.shared.standing(now)
		return quota{left: whole(s.level), whole: time.Duration(math.Round(s.seconds(s.full)*1e6)) * time.Microsecond}
	}
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
	if l.shared != nil {
		// A millionth of a second is what fractions may be off by.
		seconds := l.shared.standing(now).seconds(float64(min(int64(n), l.events)))
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
