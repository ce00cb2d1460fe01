package ratelimit

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/ratelimit/redistest"
)

// TestSharesAddUp: what all gateways pass by their shares while the store is away is no more than the store would
// have passed.
func TestSharesAddUp(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		c := newClock()
		start := c.now()
		n, limit, window := 1+rnd.IntN(5), 5+rnd.IntN(2000), time.Duration(1+rnd.IntN(100))*time.Second
		bucket := &estimate{
			level: float64(rnd.IntN(limit + 1)), full: float64(limit), perSecond: float64(limit) / window.Seconds(), at: start,
		}
		level := bucket.level
		shares := make([]*share, n)
		for i := range shares {
			shares[i] = newShare(bucket, n, start)
		}
		passed, back := 0, 0
		for range 300 {
			c.advance(time.Duration(rnd.Int64N(int64(window) / 50)))
			s := shares[rnd.IntN(n)]
			got := s.take(1+rnd.IntN(limit), rnd.IntN(4) == 0, c.now())
			if rnd.IntN(5) == 0 && got > 0 {
				back = 1 + rnd.IntN(got)
				require.Zero(t, s.refund(back), "seed %d: of a refund of %d of %d", seed, back, got)
				got -= back
			}
			passed += got
			bound := level + bucket.perSecond*c.now().Sub(start).Seconds()
			if float64(passed) > bound+1e-6 {
				t.Fatalf("seed %d: %d events passed, bound %f", seed, passed, bound)
			}
		}
		c.advance(window)
		total := 0
		for _, s := range shares {
			total += s.take(limit, false, c.now())
		}
		require.LessOrEqual(t, total, limit, "seed %d: after a window", seed)
		require.GreaterOrEqual(t, total, limit-n, "seed %d: after a window", seed)
	}
}

// TestSharesOfSmallLimits: each share is large enough to let an event pass, and together the shares fill no faster
// than the limit.
func TestSharesOfSmallLimits(t *testing.T) {
	t.Parallel()
	c := newClock()
	bucket := &estimate{level: 1, full: 1, perSecond: 1.0 / 60, at: c.now()}
	a, b := newShare(bucket, 2, c.now()), newShare(bucket, 2, c.now())
	passed := 0
	for range 600 {
		c.advance(time.Second)
		passed += a.take(1, false, c.now()) + b.take(1, false, c.now())
	}
	assert.Equal(t, 10, passed, "events in ten windows")
}

// TestStoreKilled: while the store is away, each gateway passes its share of what was left. When the store is back
// without its data, the gateways tell it what is missing. Over all of it, no more than the limit passes.
func TestStoreKilled(t *testing.T) {
	t.Parallel()
	redistest.Each(t, testStoreKilled)
}

func testStoreKilled(t *testing.T, r *redistest.Server) {
	const limit = 1000
	c := newClock()
	a, b := pair(t, r.URL(), limit, time.Minute, c)
	require.Equal(t, limit, a.drain(c)+b.drain(c))
	c.advance(6 * time.Second) // both know that a tenth has refilled
	r.Kill()
	await(t, a.isAway)
	await(t, b.isAway)
	for i := range 4 {
		for name, m := range map[string]*member{"a": a, "b": b} {
			require.Equal(t, limit/20, m.drain(c), "%s, tenth %d", name, i)
			require.Zero(t, m.Quota(c.now()).Remaining, name)
			require.False(t, m.TakeAll(1, c.now()), name)
			assert.Equal(t, 2, m.RetryAfter(10, c.now()), "%s: 10 events at half the speed take 1.2 s", name)
		}
		c.advance(6 * time.Second)
	}
	r.Start()
	await(t, a.isBack)
	await(t, b.isBack)
	a.knows(t, 2)
	b.knows(t, 2)
	// The last tenth is there, for whoever comes first. There is no fresh burst.
	got := a.drain(c) + b.drain(c)
	assert.GreaterOrEqual(t, got, limit/10-2)
	assert.LessOrEqual(t, got, limit/10)
	c.advance(time.Minute)
	assert.Equal(t, limit, b.drain(c), "a window later")
	assert.NotZero(t, counted(a.store), "errors")
}

// TestStoreStalled: a store that accepts connections and answers nothing holds up no request for long. It is charged
// for what passed once it answers again.
func TestStoreStalled(t *testing.T) {
	const limit = 1000
	c := newClock()
	way := newWire(t, redistest.Start(t).Addr())
	a, b := idle(t, way.url(), limit, time.Minute, c), idle(t, way.url(), limit, time.Minute, c)
	for _, m := range []*member{a, b} {
		// Longer than the defaults, because the machine may be busy, and still a bound.
		m.store.cfg.Wait, m.store.cfg.Timeout = 4*defaultWait, 4*defaultTimeout
		m.run(t)
	}
	a.knows(t, 2)
	b.knows(t, 2)
	await(t, func() bool { return a.Take(1, c.now()) == 1 && a.isBack() })
	way.stall(true)
	start := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { a.TakeAll(2, c.now()) })
	}
	all.Wait()
	// 50 requests that wait for the store one after the other take 10 s.
	assert.Less(t, time.Since(start), 8*time.Second, "requests wait for the store")
	await(t, a.isAway)
	await(t, b.isAway)
	start = time.Now()
	passed := a.drain(c) + b.drain(c)
	// It takes 70 requests. If each of them waits for the store, that is 14 s.
	assert.Less(t, time.Since(start), 8*time.Second, "requests wait although the store is away")
	assert.GreaterOrEqual(t, passed, limit/2)
	assert.LessOrEqual(t, passed, limit)
	way.stall(false)
	await(t, a.isBack)
	await(t, b.isBack)
	assert.LessOrEqual(t, a.drain(c)+b.drain(c), limit/100, "events that pass when the store is back")
}

// TestStoreFlushed: the gateways also tell a store what is missing that was never away and lost its data.
func TestStoreFlushed(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := redistest.Start(t)
	a, b := pair(t, r.URL(), 1000, time.Minute, c)
	passed := a.drain(c) + b.drain(c)
	client := r.Client()
	epoch := func() string { return client.Get(t.Context(), epochKey).Val() }
	before := epoch()
	require.NoError(t, client.FlushAll(t.Context()).Err())
	await(t, func() bool { now := epoch(); return now != "" && now != before })
	await(t, func() bool { return a.isAway() || b.isAway() })
	await(t, func() bool { return a.isBack() && b.isBack() })
	passed += a.drain(c) + b.drain(c)
	assert.LessOrEqual(t, passed, 1010)
}

// TestStoreAwayAtStart: a gateway that starts without the store knows of no other gateway and applies the whole
// limit. When the store comes, it is charged for that.
func TestStoreAwayAtStart(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := redistest.Start(t)
	r.Kill()
	a := idle(t, r.URL(), 100, time.Minute, c)
	a.run(t)
	await(t, a.isAway)
	assert.Equal(t, 100, a.drain(c))
	r.Start()
	await(t, a.isBack)
	b := join(t, r.URL(), 100, time.Minute, c)
	assert.LessOrEqual(t, a.drain(c)+b.drain(c), 1)
}

// TestRefundWhileAway: the share gets back what a request answered 503 had cost.
func TestRefundWhileAway(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := redistest.Start(t)
	a := join(t, r.URL(), 100, time.Minute, c)
	a.Take(40, c.now())
	r.Kill()
	await(t, a.isAway)
	assert.Equal(t, 60, a.drain(c), "what was left")
	a.Refund(30)
	assert.Equal(t, 30, a.drain(c), "what was refunded")
}

// TestOneGatewayCutOff: a gateway that alone could not reach the store pays for what it passed once it is back,
// although the other gateway left nothing in the bucket.
func TestOneGatewayCutOff(t *testing.T) {
	t.Parallel()
	c := newClock()
	r := redistest.Start(t)
	b := join(t, r.URL(), 1000, time.Minute, c)
	way := newWire(t, r.Addr())
	a := idle(t, way.url(), 1000, time.Minute, c)
	a.store.pace.grace = 50 * time.Millisecond // b needs none: it stays connected
	a.run(t)
	a.knows(t, 2)
	b.knows(t, 2)
	passed := a.drain(c) + b.drain(c)
	for range 3 {
		way.cut(true)
		await(t, a.isAway)
		c.advance(6 * time.Second)
		passed += a.drain(c) + b.drain(c)
		way.cut(false)
		await(t, a.isBack)
		passed += a.drain(c)
		c.advance(6 * time.Second)
		passed += b.drain(c) + a.drain(c)
	}
	assert.InDelta(t, 1600, passed, 20, "events in 36 s")
}
