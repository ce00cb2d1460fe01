package gateway

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

func TestExactRetryAfter(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(60, time.Minute, true, now)
	l.take(60, now)
	for n, want := range map[int]int{1: 1, 2: 2, 30: 30, 60: 60, 1000: 60} {
		if got := l.retryAfter(n, now); got != want {
			t.Errorf("for %d events: %d s, want %d", n, got, want)
		}
	}
	if got := l.retryAfter(2, now.Add(1500*time.Millisecond)); got != 1 {
		t.Errorf("rounded up: %d s", got)
	}
}

// TestLimiterBound: in T seconds at most limit × (1 + T/window) events pass, however they are asked for; and a sender that
// waits a window has the whole limit.
func TestLimiterBound(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		limit, window := 1+rnd.IntN(1000), time.Duration(1+rnd.IntN(100))*time.Second
		start := time.Unix(1_800_000_000, 0)
		now := start
		l := newLimiter(limit, window, false, start)
		passed := 0
		for range 500 {
			now = now.Add(time.Duration(rnd.Int64N(int64(window) / 20)))
			passed += l.take(1+rnd.IntN(limit), now)
			bound := float64(limit) * (1 + float64(now.Sub(start))/float64(window))
			if float64(passed) > bound {
				t.Fatalf("seed %d: %d passed, bound %f", seed, passed, bound)
			}
		}
		if got := l.take(limit, now.Add(window)); got != limit {
			t.Fatalf("seed %d: %d of %d after a window", seed, got, limit)
		}
		if got := l.take(1, now.Add(window)); got != 0 {
			t.Fatalf("seed %d: more than the limit at once", seed)
		}
	}
}

func TestLimiterUnderConcurrency(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := newLimiter(10_000, time.Minute, false, now)
	var all sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 16 {
		all.Go(func() {
			mine := 0
			for range 1000 {
				mine += l.take(1, now)
			}
			mu.Lock()
			total += mine
			mu.Unlock()
		})
	}
	all.Wait()
	if total != 10_000 {
		t.Errorf("%d passed", total)
	}
}

// TestLimiterTakesOldReadings: requests read the clock before they have the lock, so readings arrive out of order. No time is
// paid for twice.
func TestLimiterTakesOldReadings(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	l := newLimiter(100, time.Minute, false, start)
	passed := l.take(100, start)
	for i := range 1000 {
		passed += l.take(1, start.Add(6*time.Second))
		passed += l.take(1, start.Add(time.Duration(i%6)*time.Second))
	}
	if passed != 110 {
		t.Errorf("%d passed in 6 s, want 110", passed)
	}
}

// TestLimiterAtItsBounds: the largest limit over the longest window does not overflow, however long nobody came.
func TestLimiterAtItsBounds(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	for _, idle := range []time.Duration{time.Second, 2 * time.Hour, maxLimitWindow - time.Microsecond, maxLimitWindow, 100 * maxLimitWindow} {
		l := newLimiter(maxLimitEvents, maxLimitWindow, false, start)
		if got := l.take(maxLimitEvents, start); got != maxLimitEvents {
			t.Fatalf("%d at first", got)
		}
		want := int(min(1, float64(idle)/float64(maxLimitWindow)) * maxLimitEvents)
		if got := l.take(maxLimitEvents, start.Add(idle)); got < want-1 || got > want {
			t.Errorf("after %s: %d, want %d", idle, got, want)
		}
	}
}
