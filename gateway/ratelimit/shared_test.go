package ratelimit

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ratelimit/redistest"
)

// TestSharedLimitAtItsLimit: together the gateways take limit-1, limit and not one more.
func TestSharedLimitAtItsLimit(t *testing.T) {
	t.Parallel()
	c := newClock()
	a, b := pair(t, redistest.Start(t).URL(), 100, time.Minute, c)
	require.Equal(t, 60, a.Take(60, c.now()))
	require.Equal(t, 39, b.Take(39, c.now()))
	require.Equal(t, 1, a.Take(2, c.now()), "the hundredth, of two")
	for name, m := range map[string]*member{"a": a, "b": b} {
		assert.Zero(t, m.Take(1, c.now()), "%s: event 101", name)
		assert.Equal(t, Quota{Remaining: 0, Reset: time.Minute}, m.Quota(c.now()), name)
		assert.Equal(t, 1, m.RetryAfter(1, c.now()), name)
		assert.Equal(t, 60, m.RetryAfter(100, c.now()), "%s: all of it", name)
	}
	c.advance(600 * time.Millisecond)
	assert.Equal(t, 1, b.Take(5, c.now())+a.Take(5, c.now()), "a hundredth of the window later")
	c.advance(time.Minute)
	assert.Equal(t, 100, b.Take(101, c.now()), "a window later")
}

// TestSharedLimitUnderConcurrency: two gateways with many requests at once pass exactly the limit.
func TestSharedLimitUnderConcurrency(t *testing.T) {
	t.Parallel()
	c := newClock()
	const limit = 20_000
	a, b := pair(t, redistest.Start(t).URL(), limit, time.Minute, c)
	var passed atomic.Int64
	drain := func() {
		var all sync.WaitGroup
		for i := range 16 {
			m := []*member{a, b}[i%2]
			all.Go(func() {
				for misses := 0; misses < 3; {
					if got := m.Take(1+i%7, c.now()); got > 0 {
						passed.Add(int64(got))
					} else {
						misses++
					}
				}
			})
		}
		all.Wait()
	}
	drain()
	assert.EqualValues(t, limit, passed.Load())
	for range 10 {
		c.advance(6 * time.Second)
		drain()
	}
	assert.EqualValues(t, 2*limit, passed.Load(), "a window later")
}

// TestSharedLimitAtomic: all events or none, at every gateway, also if a lease holds part of them.
func TestSharedLimitAtomic(t *testing.T) {
	t.Parallel()
	c := newClock()
	a, b := pair(t, redistest.Start(t).URL(), 1000, time.Minute, c)
	require.False(t, a.TakeAll(1001, c.now()), "more than the limit")
	assert.True(t, a.TakeAll(0, c.now()), "none")
	require.True(t, a.TakeAll(1000, c.now()), "the whole limit")
	require.False(t, b.TakeAll(1, c.now()), "one more")
	c.advance(30 * time.Second)
	require.False(t, b.TakeAll(501, c.now()), "501 of 500")
	require.False(t, b.TakeAll(501, c.now()), "501 of 500, again")
	require.True(t, b.TakeAll(499, c.now()), "a refusal costs nothing")
	require.False(t, a.TakeAll(2, c.now()), "2 of 1")
	require.True(t, a.TakeAll(1, c.now()), "1 of 1")
	// Both sides get a lease, which is then part of a bulk.
	c.advance(time.Minute)
	taken := 0
	for range 20 {
		taken += a.Take(1, c.now()) + b.Take(1, c.now())
	}
	await(t, func() bool { return a.supplied() && b.supplied() })
	rest := 1000 - taken - b.leased()
	require.False(t, a.TakeAll(rest+1, c.now()), "%d of %d", rest+1, rest)
	require.True(t, a.TakeAll(rest, c.now()), "%d of %d", rest, rest)
}

// TestSharedLimitRefund: what one gateway refunds can pass at the other.
func TestSharedLimitRefund(t *testing.T) {
	t.Parallel()
	c := newClock()
	a, b := pair(t, redistest.Start(t).URL(), 100, time.Minute, c)
	require.Equal(t, 100, a.Take(100, c.now()))
	require.Zero(t, b.Take(1, c.now()))
	a.Refund(30)
	// For at most a second, b believes the store's answer that there is nothing.
	c.advance(heardFor)
	got := 0
	await(t, func() bool { got += b.Take(100, c.now()); return got >= 31 })
	c.advance(heardFor)
	assert.Equal(t, 31, got, "30 and what a second brings")
	// A refund never makes more than the limit.
	a.Refund(1000)
	c.advance(heardFor)
	await(t, func() bool { return a.leased() == 0 })
	assert.Equal(t, 100, b.Take(200, c.now()), "after too large a refund")
}

// TestIdleLeasesGoBack: a gateway returns a lease that it does not use. The store does not keep a full bucket.
func TestIdleLeasesGoBack(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := redistest.Start(t)
	a, b := pair(t, r.URL(), 1000, time.Minute, c)
	for range 10 {
		a.Take(1, c.now())
	}
	await(t, func() bool { return a.leased() > 0 })
	c.advance(leaseIdle)
	await(t, func() bool { return a.leased() == 0 })
	assert.Equal(t, 1000, b.Take(1000, c.now()), "nothing of the limit is stranded")
	c.advance(time.Minute)
	await(t, func() bool { return len(a.store.queue.all()) == 0 })
	client, key := r.Client(), bucketKey("demo", a.Limiter)
	assert.EqualValues(t, 1, client.Exists(t.Context(), key).Val(), "a bucket that is not full has a key")
	b.Refund(1000)
	await(t, func() bool { return client.Exists(t.Context(), key).Val() == 0 })
}

// TestLeaseOnStop: a gateway that stops returns its lease and no longer counts.
func TestLeaseOnStop(t *testing.T) {
	t.Parallel()
	c := newClock()
	a, b := pair(t, redistest.Start(t).URL(), 1000, time.Minute, c)
	a.Take(890, c.now())
	for range 10 {
		a.Take(1, c.now())
	}
	await(t, func() bool { return a.leased() > 0 })
	a.stop()
	b.knows(t, 1)
	assert.Equal(t, 100, b.Take(1000, c.now()))
}

// TestRefusalsAreCheap: once the store has answered that a bucket is empty, requests do not ask again until a token
// can have come.
func TestRefusalsAreCheap(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := redistest.Start(t)
	a := idle(t, r.URL(), 60, time.Minute, c)
	a.store.pace.heartbeat = time.Hour
	a.run(t)
	await(t, a.store.connected.Load)
	a.Take(60, c.now())
	before := r.ScriptCalls()
	for range 10_000 {
		if a.Take(1, c.now()) != 0 || a.TakeAll(10, c.now()) || a.Quota(c.now()).Remaining != 0 {
			t.Fatal("an event passed")
		}
	}
	assert.LessOrEqual(t, r.ScriptCalls()-before, 20, "calls for 20,000 refusals")
	c.advance(time.Second)
	assert.Equal(t, 1, a.Take(5, c.now()), "once one token has come")
}

// TestMostRequestsDoNotWait: in a steady stream of single events, the lease arrives before it is needed.
func TestMostRequestsDoNotWait(t *testing.T) {
	r := redistest.Start(t)
	a := join(t, r.URL(), 1_000_000, time.Minute, nil)
	before := r.ScriptCalls()
	const n = 100_000
	for range n {
		if a.Take(1, time.Now()) != 1 {
			t.Fatal("refused")
		}
	}
	assert.LessOrEqual(t, r.ScriptCalls()-before, n/100)
}

// TestFairShares: of what an empty bucket yields, each of two gateways gets its part, and so does each client that
// keeps trying.
func TestFairShares(t *testing.T) {
	a, b := pair(t, redistest.Start(t).URL(), 12_000, time.Minute, nil)
	a.Take(12_000, time.Now())
	const want = 200
	start := time.Now()
	var total atomic.Int64
	var counts [4]int
	var all sync.WaitGroup
	for i := range counts {
		m := []*member{a, b}[i%2]
		all.Go(func() {
			for total.Load() < want && time.Since(start) < time.Minute {
				n := m.Take(1, time.Now())
				counts[i] += n
				total.Add(int64(n))
			}
		})
	}
	all.Wait()
	// A busy machine may take longer than the second, and then more events have come. Never do they come faster.
	took := time.Since(start)
	assert.GreaterOrEqual(t, total.Load(), int64(want), "events in %s, at 200 a second", took)
	assert.LessOrEqual(t, float64(total.Load()), 200*took.Seconds()+50, "events in %s, at 200 a second", took)
	for i, n := range counts {
		assert.GreaterOrEqual(t, n, want/40, "client %d of %v", i, counts)
	}
}

// BenchmarkTake charges one event, at one gateway alone and through the store.
func BenchmarkTake(b *testing.B) {
	bench := func(b *testing.B, m *Limiter) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m.Take(1, time.Now())
			}
		})
	}
	b.Run("local", func(b *testing.B) { bench(b, New(Limit{Events: MaxEvents, Window: time.Second}, time.Now())) })
	b.Run("shared", func(b *testing.B) {
		bench(b, join(b, redistest.StartProcess(b, "").URL(), MaxEvents, time.Second, nil).Limiter)
	})
}
