package ratelimit

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestExactRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := New(60, time.Minute, true, now)
	l.Take(60, now)
	for n, want := range map[int]int{1: 1, 2: 2, 30: 30, 60: 60, 1000: 60} {
		assert.Equal(t, want, l.RetryAfter(n, now), "%d events", n)
	}
	assert.Equal(t, 1, l.RetryAfter(2, now.Add(1500*time.Millisecond)), "it is rounded up")
}

// TestLimiterBound: in T seconds at most limit × (1 + T/window) events pass, however they are asked for. A sender
// that waits a window has the whole limit.
func TestLimiterBound(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		limit, window := 1+rnd.IntN(1000), time.Duration(1+rnd.IntN(100))*time.Second
		start := time.Unix(1_800_000_000, 0)
		now := start
		l := New(limit, window, false, start)
		passed := 0
		for range 500 {
			now = now.Add(time.Duration(rnd.Int64N(int64(window) / 20)))
			passed += l.Take(1+rnd.IntN(limit), now)
			bound := float64(limit) * (1 + float64(now.Sub(start))/float64(window))
			require.LessOrEqual(t, float64(passed), bound, "seed %d", seed)
		}
		require.Equal(t, limit, l.Take(limit, now.Add(window)), "seed %d: a window later", seed)
		require.Zero(t, l.Take(1, now.Add(window)), "seed %d: more than the limit at once", seed)
	}
}

func TestLimiterUnderConcurrency(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := New(10_000, time.Minute, false, now)
	var all sync.WaitGroup
	var total atomic.Int64
	for range 16 {
		all.Go(func() {
			for range 1000 {
				total.Add(int64(l.Take(1, now)))
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 10_000, total.Load())
}

// TestLimiterTakesOldReadings: requests read the clock before they hold the lock, so readings arrive out of order. No
// time is paid for twice.
func TestLimiterTakesOldReadings(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	l := New(100, time.Minute, false, start)
	passed := l.Take(100, start)
	for i := range 1000 {
		passed += l.Take(1, start.Add(6*time.Second))
		passed += l.Take(1, start.Add(time.Duration(i%6)*time.Second))
	}
	assert.Equal(t, 110, passed, "events in 6 s")
}

// TestLimiterAtItsBounds: the largest limit over the longest window does not overflow, after any time without events.
func TestLimiterAtItsBounds(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	for _, idle := range []time.Duration{
		time.Second, 2 * time.Hour, maxLimitWindow - time.Microsecond, maxLimitWindow, 100 * maxLimitWindow,
	} {
		l := New(maxLimitEvents, maxLimitWindow, false, start)
		require.Equal(t, maxLimitEvents, l.Take(maxLimitEvents, start))
		want := int(min(1, float64(idle)/float64(maxLimitWindow)) * maxLimitEvents)
		got := l.Take(maxLimitEvents, start.Add(idle))
		assert.GreaterOrEqual(t, got, want-1, idle)
		assert.LessOrEqual(t, got, want, idle)
	}
}
