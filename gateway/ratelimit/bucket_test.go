package ratelimit_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ratelimit"
)

func TestExactRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := ratelimit.New(ratelimit.Limit{Events: 60, Window: time.Minute, ExactRetryAfter: true}, now)
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
		l := ratelimit.New(ratelimit.Limit{Events: limit, Window: window}, start)
		passed := 0
		for range 500 {
			now = now.Add(time.Duration(rnd.Int64N(int64(window) / 20)))
			passed += l.Take(1+rnd.IntN(limit), now)
			bound := float64(limit) * (1 + float64(now.Sub(start))/float64(window))
			if float64(passed) > bound {
				t.Fatalf("seed %d: %d events passed, bound %f", seed, passed, bound)
			}
		}
		require.Equal(t, limit, l.Take(limit, now.Add(window)), "seed %d: a window later", seed)
		require.Zero(t, l.Take(1, now.Add(window)), "seed %d: more than the limit at once", seed)
	}
}

func TestLimiterUnderConcurrency(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := ratelimit.New(ratelimit.Limit{Events: 10_000, Window: time.Minute}, now)
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
	l := ratelimit.New(ratelimit.Limit{Events: 100, Window: time.Minute}, start)
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
		time.Second, 2 * time.Hour, ratelimit.MaxWindow - time.Microsecond, ratelimit.MaxWindow, 100 * ratelimit.MaxWindow,
	} {
		l := ratelimit.New(ratelimit.Limit{Events: ratelimit.MaxEvents, Window: ratelimit.MaxWindow}, start)
		require.Equal(t, ratelimit.MaxEvents, l.Take(ratelimit.MaxEvents, start))
		want := int(min(1, float64(idle)/float64(ratelimit.MaxWindow)) * ratelimit.MaxEvents)
		got := l.Take(ratelimit.MaxEvents, start.Add(idle))
		assert.GreaterOrEqual(t, got, want-1, idle)
		assert.LessOrEqual(t, got, want, idle)
	}
}
