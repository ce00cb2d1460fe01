package gateway

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/gateway/ratelimit/redistest"
)

// TestSharedLimitAtItsLimit: together the gateways take limit-1, limit and not one more.
func TestSharedLimitAtItsLimit(t *testing.T) {
	c := newClock()
	a, b := pair(t, redistest.Start(t).URL(), 100, time.Minute, c)
	if got := a.take(60, c.now()); got != 60 {
		t.Fatalf("the first 60: %d", got)
	}
	if got := b.take(39, c.now()); got != 39 {
		t.Fatalf("up to 99: %d", got)
	}
	if got := a.take(2, c.now()); got != 1 {
		t.Fatalf("the hundredth, of two: %d", got)
	}
	for name, m := range map[string]*member{"a": a, "b": b} {
		if got := m.take(1, c.now()); got != 0 {
			t.Errorf("%s took number 101", name)
		}
		if q := m.quota(c.now()); q.left != 0 || q.whole != time.Minute {
			t.Errorf("%s: %+v", name, q)
		}
		if got := m.retryAfter(1, c.now()); got != 1 {
			t.Errorf("%s: Retry-After %d", name, got)
		}
		if got := m.retryAfter(100, c.now()); got != 60 {
			t.Errorf("%s: Retry-After for all %d", name, got)
		}
	}
	c.advance(600 * time.Millisecond)
	if got := b.take(5, c.now()) + a.take(5, c.now()); got != 1 {
		t.Errorf("a hundredth of the window later: %d", got)
	}
	c.advance(time.Minute)
	if got := b.take(101, c.now()); got != 100 {
		t.Errorf("a window later: %d", got)
	}
}

// TestSharedLimitUnderConcurrency: two gateways hammered at once pass the limit exactly, give or take what their leases hold.
func TestSharedLimitUnderConcurrency(t *testing.T) {
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
					if got := m.take(1+i%7, c.now()); got > 0 {
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
	if got := passed.Load(); got != limit {
		t.Errorf("%d of %d passed", got, limit)
	}
	for range 10 {
		c.advance(6 * time.Second)
		drain()
	}
	if got := passed.Load(); got != 2*limit {
		t.Errorf("a window later %d of %d passed", got, 2*limit)
	}
}

// TestSharedLimitAtomic: all or nothing, whichever gateway is asked, also where a lease holds part of it.
func TestSharedLimitAtomic(t *testing.T) {
	c := newClock()
	a, b := pair(t, redistest.Start(t).URL(), 1000, time.Minute, c)
	if a.takeAll(1001, c.now()) {
		t.Fatal("more than the limit")
	}
	if !a.takeAll(0, c.now()) {
		t.Error("nothing is always there")
	}
	if !a.takeAll(1000, c.now()) {
		t.Fatal("the whole limit")
	}
	if b.takeAll(1, c.now()) {
		t.Fatal("one more")
	}
	c.advance(30 * time.Second)
	if b.takeAll(501, c.now()) {
		t.Fatal("501 of 500")
	}
	if b.takeAll(501, c.now()) || !b.takeAll(499, c.now()) || a.takeAll(2, c.now()) || !a.takeAll(1, c.now()) {
		t.Fatal("a refusal cost something, or nothing was refused")
	}
	// Leases form on both sides; what they hold is part of a bulk.
	c.advance(time.Minute)
	taken := 0
	for range 20 {
		taken += a.take(1, c.now()) + b.take(1, c.now())
	}
	await(t, func() bool { return a.supplied() && b.supplied() })
	rest := 1000 - taken - b.leased()
	if a.takeAll(rest+1, c.now()) {
		t.Fatalf("%d of %d", rest+1, rest)
	}
	if !a.takeAll(rest, c.now()) {
		t.Fatalf("%d of %d refused", rest, rest)
	}
}

// TestSharedLimitRefund: what is given back at one gateway can be used at the other.
func TestSharedLimitRefund(t *testing.T) {
	c := newClock()
	r := redistest.Start(t)
	a, b := pair(t, r.URL(), 100, time.Minute, c)
	if a.take(100, c.now()) != 100 || b.take(1, c.now()) != 0 {
		t.Fatal("the limit is not the limit")
	}
	a.refund(30)
	// b trusts the store's word that there is nothing for a second at most.
	c.advance(heardFor)
	got := 0
	await(t, func() bool { got += b.take(100, c.now()); return got >= 31 })
	if c.advance(heardFor); got != 31 {
		t.Errorf("%d passed, want 30 and what a second brings", got)
	}
	// More than the limit never comes together.
	a.refund(1000)
	c.advance(heardFor)
	await(t, func() bool { return a.leased() == 0 })
	if got := b.take(200, c.now()); got != 100 {
		t.Errorf("%d after too large a refund", got)
	}
}

// TestIdleLeasesGoBack: what a gateway has taken in advance and does not use comes back, and the store keeps nothing of a full
// bucket.
func TestIdleLeasesGoBack(t *testing.T) {
	c := newClock()
	r := redistest.Start(t)
	a, b := pair(t, r.URL(), 1000, time.Minute, c)
	for range 10 {
		a.take(1, c.now())
	}
	await(t, func() bool { return a.leased() > 0 })
	c.advance(leaseIdle)
	await(t, func() bool { return a.leased() == 0 })
	if got := b.take(1000, c.now()); got != 1000 {
		t.Errorf("%d of the limit, the rest is stranded", got)
	}
	c.advance(time.Minute)
	await(t, func() bool { a.store.mu.Lock(); defer a.store.mu.Unlock(); return len(a.store.tracked) == 0 })
	client, key := r.Client(), storeKey("demo", a.limiter)
	if client.Exists(t.Context(), key).Val() != 1 {
		t.Error("nothing is kept of a bucket that is not full")
	}
	b.refund(1000)
	await(t, func() bool { return client.Exists(t.Context(), key).Val() == 0 })
}

// TestLeaseOnStop: a gateway that stops gives back its lease and is no longer counted.
func TestLeaseOnStop(t *testing.T) {
	c := newClock()
	a, b := pair(t, redistest.Start(t).URL(), 1000, time.Minute, c)
	a.take(890, c.now())
	for range 10 {
		a.take(1, c.now())
	}
	await(t, func() bool { return a.leased() > 0 })
	a.stop()
	b.knows(t, 1)
	if got := b.take(1000, c.now()); got != 100 {
		t.Errorf("%d of 100", got)
	}
}

// TestRefusalsAreCheap: once the store said that a bucket is empty, a flood of requests asks it no more, until a token can
// have come.
func TestRefusalsAreCheap(t *testing.T) {
	c := newClock()
	r := redistest.Start(t)
	a := join(t, r.URL(), 60, time.Minute, c)
	a.take(60, c.now())
	before := r.ScriptCalls()
	for range 10_000 {
		if a.take(1, c.now()) != 0 || a.takeAll(10, c.now()) || a.quota(c.now()).left != 0 {
			t.Fatal("it passed")
		}
	}
	// Two calls a second are the gateway's own sign of life.
	if n := r.ScriptCalls() - before; n > 20 {
		t.Errorf("%d calls for a flood of refusals", n)
	}
	c.advance(time.Second)
	if got := a.take(5, c.now()); got != 1 {
		t.Errorf("%d when one token has come", got)
	}
}

// TestMostRequestsDoNotWait: with a steady stream of single events the lease is there before it is needed.
func TestMostRequestsDoNotWait(t *testing.T) {
	r := redistest.Start(t)
	a := join(t, r.URL(), 1_000_000, time.Minute, nil)
	before := r.ScriptCalls()
	const n = 100_000
	for range n {
		if a.take(1, time.Now()) != 1 {
			t.Fatal("refused")
		}
	}
	if calls := r.ScriptCalls() - before; calls > n/100 {
		t.Errorf("%d calls for %d events", calls, n)
	}
}

// TestFairShares: of what a bucket that is always empty yields, each of two gateways gets its part, and so does a client that
// keeps trying.
func TestFairShares(t *testing.T) {
	a, b := pair(t, redistest.Start(t).URL(), 12_000, time.Minute, nil)
	a.take(12_000, time.Now())
	stop := time.Now().Add(time.Second)
	var counts [4]int
	var all sync.WaitGroup
	for i := range counts {
		m := []*member{a, b}[i%2]
		all.Go(func() {
			for time.Now().Before(stop) {
				counts[i] += m.take(1, time.Now())
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	if total < 150 || total > 250 {
		t.Errorf("%d passed in a second at 200 a second", total)
	}
	t.Log(counts)
	for i, n := range counts {
		if n < total/40 {
			t.Errorf("client %d got %d of %d: %v", i, n, total, counts)
		}
	}
}

// BenchmarkTake is one event charged, by one gateway alone and through the store.
func BenchmarkTake(b *testing.B) {
	bench := func(b *testing.B, m *limiter) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m.take(1, time.Now())
			}
		})
	}
	b.Run("local", func(b *testing.B) { bench(b, newLimiter(maxLimitEvents, time.Second, false, time.Now())) })
	b.Run("shared", func(b *testing.B) {
		bench(b, join(b, redistest.StartProcess(b, "").URL(), maxLimitEvents, time.Second, nil).limiter)
	})
}
