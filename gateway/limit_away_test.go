package gateway

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sluice/gateway/ratelimit/redistest"
)

// TestSharesAddUp: what all gateways pass by their shares while the store is away is no more than it would have let pass.
func TestSharesAddUp(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 4))
		c := newClock()
		start := c.now()
		n, limit, window := 1+rnd.IntN(5), 5+rnd.IntN(2000), time.Duration(1+rnd.IntN(100))*time.Second
		bucket := &filling{level: float64(rnd.IntN(limit + 1)), full: float64(limit), perSecond: float64(limit) / window.Seconds(), at: start}
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
				if rest := s.refund(back); rest != 0 {
					t.Fatalf("seed %d: a refund of %d of %d left %d", seed, back, got, rest)
				}
				got -= back
			}
			passed += got
			if bound := level + bucket.perSecond*c.now().Sub(start).Seconds(); float64(passed) > bound+1e-6 {
				t.Fatalf("seed %d: %d passed, bound %f", seed, passed, bound)
			}
		}
		c.advance(window)
		total := 0
		for _, s := range shares {
			total += s.take(limit, false, c.now())
		}
		if total > limit || total < limit-n {
			t.Fatalf("seed %d: %d of %d after a window", seed, total, limit)
		}
	}
}

// TestSharesOfSmallLimits: no share is so small that nothing ever passes, and together they still fill no faster.
func TestSharesOfSmallLimits(t *testing.T) {
	c := newClock()
	bucket := &filling{level: 1, full: 1, perSecond: 1.0 / 60, at: c.now()}
	a, b := newShare(bucket, 2, c.now()), newShare(bucket, 2, c.now())
	passed := 0
	for range 600 {
		c.advance(time.Second)
		passed += a.take(1, false, c.now()) + b.take(1, false, c.now())
	}
	if passed != 10 {
		t.Errorf("%d passed in ten windows of one event", passed)
	}
}

// TestStoreKilled: while the store is away each gateway passes its share, from what was left, and when it is back without its
// data it is told what was missing: over all of it no more than the limit passes.
func TestStoreKilled(t *testing.T) { redistest.Each(t, testStoreKilled) }

func testStoreKilled(t *testing.T, r *redistest.Server) {
	const limit = 1000
	c := newClock()
	a, b := pair(t, r.URL(), limit, time.Minute, c)
	passed := a.drain(c) + b.drain(c)
	if passed != limit {
		t.Fatalf("%d at first", passed)
	}
	c.advance(6 * time.Second) // both know that a tenth is there again
	r.Kill()
	await(t, a.isAway)
	await(t, b.isAway)
	for i := range 4 {
		for name, m := range map[string]*member{"a": a, "b": b} {
			if got := m.drain(c); got != limit/20 {
				t.Fatalf("%s, tenth %d: %d passed, want %d", name, i, got, limit/20)
			}
			if q := m.quota(c.now()); q.left != 0 || m.takeAll(1, c.now()) {
				t.Fatalf("%s: %+v", name, q)
			}
			if got := m.retryAfter(10, c.now()); got != 2 {
				t.Errorf("%s: 10 events at half the speed take 1.2 s, not %d", name, got)
			}
		}
		c.advance(6 * time.Second)
	}
	r.Start()
	await(t, a.isBack)
	await(t, b.isBack)
	a.knows(t, 2)
	b.knows(t, 2)
	// The last tenth is there, for whoever comes first; not a fresh burst.
	if got := a.drain(c) + b.drain(c); got < limit/10-2 || got > limit/10 {
		t.Errorf("%d when it was back, want %d", got, limit/10)
	}
	c.advance(time.Minute)
	if got := b.drain(c); got != limit {
		t.Errorf("%d a window later", got)
	}
	if n := counted(a.store); n == 0 {
		t.Error("no error was counted")
	}
}

// TestStoreStalled: a store that takes connections and answers nothing holds nobody up for long, and what passed without it is
// charged when it goes on.
func TestStoreStalled(t *testing.T) {
	const limit = 1000
	c := newClock()
	way := newWire(t, redistest.Start(t).Addr())
	a, b := idle(t, "redis://"+way.addr, limit, time.Minute, c), idle(t, "redis://"+way.addr, limit, time.Minute, c)
	for _, m := range []*member{a, b} {
		// More than it is, and still much less than without a bound: the machine may be busy.
		m.store.patience, m.store.budget = 4*storeWait, 4*storeTimeout
		m.run(t)
	}
	a.knows(t, 2)
	b.knows(t, 2)
	await(t, func() bool { return a.take(1, c.now()) == 1 && a.isBack() })
	way.stall(true)
	start := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { a.takeAll(2, c.now()) })
	}
	all.Wait()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("requests waited %s", took)
	}
	await(t, a.isAway)
	await(t, b.isAway)
	start = time.Now()
	passed := a.drain(c) + b.drain(c)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("with the store away requests waited %s", took)
	}
	if passed < limit/2 || passed > limit {
		t.Errorf("%d passed", passed)
	}
	way.stall(false)
	await(t, a.isBack)
	await(t, b.isBack)
	if got := a.drain(c) + b.drain(c); got > limit/100 {
		t.Errorf("%d more passed when it was back", got)
	}
}

// TestStoreFlushed: a store whose data was deleted while it was there is told what is missing, too.
func TestStoreFlushed(t *testing.T) {
	c := newClock()
	r := redistest.Start(t)
	a, b := pair(t, r.URL(), 1000, time.Minute, c)
	passed := a.drain(c) + b.drain(c)
	epoch := func(m *member) string { return r.Client().Get(t.Context(), storeEpoch).Val() }
	before := epoch(a)
	if err := r.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { now := epoch(a); return now != "" && now != before })
	await(t, func() bool { return a.isAway() || b.isAway() })
	await(t, func() bool { return a.isBack() && b.isBack() })
	if passed += a.drain(c) + b.drain(c); passed > 1010 {
		t.Errorf("%d passed", passed)
	}
}

// TestStoreNotThereAtStart: a gateway that starts without the store knows of no other and applies the whole limit; when the
// store comes, it is charged for that.
func TestStoreNotThereAtStart(t *testing.T) {
	c := newClock()
	r := redistest.Start(t)
	r.Kill()
	a := idle(t, r.URL(), 100, time.Minute, c)
	a.run(t)
	await(t, a.isAway)
	if got := a.drain(c); got != 100 {
		t.Errorf("%d passed", got)
	}
	r.Start()
	await(t, a.isBack)
	b := join(t, r.URL(), 100, time.Minute, c)
	if got := a.drain(c) + b.drain(c); got > 1 {
		t.Errorf("%d more passed", got)
	}
}

// TestRefundWhileAway: a 503 is given back to the share.
func TestRefundWhileAway(t *testing.T) {
	c := newClock()
	r := redistest.Start(t)
	a := join(t, r.URL(), 100, time.Minute, c)
	a.take(40, c.now())
	r.Kill()
	await(t, a.isAway)
	if got := a.drain(c); got != 60 {
		t.Errorf("%d of what was left", got)
	}
	a.refund(30)
	if got := a.drain(c); got != 30 {
		t.Errorf("%d of 30", got)
	}
}

// TestOneGatewayCutOff: what a gateway passed that alone could not reach the store is paid for when it is back, though the others
// have left nothing in the bucket.
func TestOneGatewayCutOff(t *testing.T) {
	c := newClock()
	r := redistest.Start(t)
	b := join(t, r.URL(), 1000, time.Minute, c)
	way := newWire(t, r.Addr())
	a := join(t, "redis://"+way.addr, 1000, time.Minute, c)
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
	if passed > 1600+20 || passed < 1600-20 {
		t.Errorf("%d passed in 36 s, want 1600", passed)
	}
}
