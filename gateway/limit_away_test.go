package gateway

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// TestSharesAddUp: what all gateways pass by their shares while the store is away is no more than it would have let pass.
func TestSharesAddUp(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 4)) //nolint:gosec // a test
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

// drain takes all that a member has.
func (m *member) drain(c *clock) (passed int) {
	for {
		got := m.take(7, c.now())
		if passed += got; got == 0 {
			return passed
		}
	}
}

func (m *member) isAway() bool { return m.store.away() }
func (m *member) isBack() bool { return !m.store.away() }

// TestStoreKilled: while the store is away each gateway passes its share, from what was left, and when it is back without its
// data it is told what was missing: over all of it no more than the limit passes.
func TestStoreKilled(t *testing.T) {
	const limit = 1000
	c := newClock()
	r := startRedis(t, "")
	a, b := pair(t, r, limit, time.Minute, c)
	passed := a.drain(c) + b.drain(c)
	if passed != limit {
		t.Fatalf("%d at first", passed)
	}
	c.advance(6 * time.Second) // both know that a tenth is there again
	r.kill()
	waitUntil(t, a.isAway)
	waitUntil(t, b.isAway)
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
	r.start()
	waitUntil(t, a.isBack)
	waitUntil(t, b.isBack)
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

func counted(s *limitStore) (n float64) {
	for _, reason := range []string{"network", "timeout", "refused", "auth", "settings"} {
		n += value(s.metrics.errors.WithLabelValues(reason))
	}
	return n
}

// TestStoreStalled: a store that takes connections and answers nothing holds nobody up for long, and what passed without it is
// charged when it goes on.
func TestStoreStalled(t *testing.T) {
	const limit = 1000
	c := newClock()
	r := startRedis(t, "")
	a, b := idle(t, r, limit, time.Minute, c), idle(t, r, limit, time.Minute, c)
	for _, m := range []*member{a, b} {
		// More than it is, and still much less than without a bound: the machine may be busy.
		m.store.patience, m.store.budget = 4*storeWait, 4*storeTimeout
		m.run(t)
	}
	a.knows(t, 2)
	b.knows(t, 2)
	waitUntil(t, func() bool { return a.take(1, c.now()) == 1 && a.isBack() })
	r.stall(true)
	start := time.Now()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { a.takeAll(2, c.now()) })
	}
	all.Wait()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("requests waited %s", took)
	}
	waitUntil(t, a.isAway)
	waitUntil(t, b.isAway)
	start = time.Now()
	passed := a.drain(c) + b.drain(c)
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("with the store away requests waited %s", took)
	}
	if passed < limit/2 || passed > limit {
		t.Errorf("%d passed", passed)
	}
	r.stall(false)
	waitUntil(t, a.isBack)
	waitUntil(t, b.isBack)
	if got := a.drain(c) + b.drain(c); got > limit/100 {
		t.Errorf("%d more passed when it was back", got)
	}
}

// TestStoreFlushed: a store whose data was deleted while it was there is told what is missing, too.
func TestStoreFlushed(t *testing.T) {
	c := newClock()
	r := startRedis(t, "")
	a, b := pair(t, r, 1000, time.Minute, c)
	passed := a.drain(c) + b.drain(c)
	epoch := func(m *member) string { return r.client().Get(t.Context(), storeEpoch).Val() }
	before := epoch(a)
	if err := r.client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { now := epoch(a); return now != "" && now != before })
	waitUntil(t, func() bool { return a.isAway() || b.isAway() })
	waitUntil(t, func() bool { return a.isBack() && b.isBack() })
	if passed += a.drain(c) + b.drain(c); passed > 1010 {
		t.Errorf("%d passed", passed)
	}
}

// TestStoreNotThereAtStart: a gateway that starts without the store knows of no other and applies the whole limit; when the
// store comes, it is charged for that.
func TestStoreNotThereAtStart(t *testing.T) {
	c := newClock()
	r := startRedis(t, "")
	r.kill()
	a := idle(t, r, 100, time.Minute, c)
	a.run(t)
	waitUntil(t, a.isAway)
	if got := a.drain(c); got != 100 {
		t.Errorf("%d passed", got)
	}
	r.start()
	waitUntil(t, a.isBack)
	b := join(t, r, 100, time.Minute, c)
	if got := a.drain(c) + b.drain(c); got > 1 {
		t.Errorf("%d more passed", got)
	}
}

// TestRefundWhileAway: a 503 is given back to the share.
func TestRefundWhileAway(t *testing.T) {
	c := newClock()
	r := startRedis(t, "")
	a := join(t, r, 100, time.Minute, c)
	a.take(40, c.now())
	r.kill()
	waitUntil(t, a.isAway)
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
	r := startRedis(t, "")
	b := join(t, r, 1000, time.Minute, c)
	way := newWire(t, r.addr)
	a := join(t, &redisServer{addr: way.addr}, 1000, time.Minute, c)
	a.knows(t, 2)
	b.knows(t, 2)
	passed := a.drain(c) + b.drain(c)
	for range 3 {
		way.cut(true)
		waitUntil(t, a.isAway)
		c.advance(6 * time.Second)
		passed += a.drain(c) + b.drain(c)
		way.cut(false)
		waitUntil(t, a.isBack)
		passed += a.drain(c)
		c.advance(6 * time.Second)
		passed += b.drain(c) + a.drain(c)
	}
	if passed > 1600+20 || passed < 1600-20 {
		t.Errorf("%d passed in 36 s, want 1600", passed)
	}
}

// wire is a way to a server that can be cut.
type wire struct {
	addr, to string
	mu       sync.Mutex
	broken   bool
	open     []net.Conn
}

func newWire(t *testing.T, to string) *wire {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{addr: l.Addr().String(), to: to}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil || !w.take(near, far) {
				_ = near.Close()
				continue
			}
			all.Go(func() { _, _ = io.Copy(far, near); _ = far.Close() })
			all.Go(func() { _, _ = io.Copy(near, far); _ = near.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.cut(true)
		all.Wait()
	})
	return w
}

// take keeps the two ends of a connection, or closes the far one while the wire is cut.
func (w *wire) take(near, far net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken {
		_ = far.Close()
		return false
	}
	w.open = append(w.open, near, far)
	return true
}

// cut breaks what goes over the wire and what wants to, or mends it.
func (w *wire) cut(broken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = broken
	for _, conn := range w.open {
		_ = conn.Close()
	}
	w.open = nil
}
