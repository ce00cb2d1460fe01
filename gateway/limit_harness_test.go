package gateway

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/gateway/ratelimit/redistest"
)

// manualClock is a clock that stands still until it is moved.
type manualClock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *manualClock { return &manualClock{t: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)} }

func (c *manualClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *manualClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// await waits for a condition, not for a time.
func await(t testing.TB, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the condition did not come true in 20 s")
		}
	}
}

// unregistered returns metrics that nobody collects.
func unregistered() storeMetrics {
	return storeMetrics{
		Errors:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "errors"}, []string{"reason"}),
		Duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "duration"}),
	}
}

// member is a gateway as far as limits go.
type member struct {
	*limiter
	store  *limitStore
	bucket *sharedLimit
	stop   func()
}

// join starts one that shares a limit through r. With a clock, time stands still but for what the clock is advanced, in the
// store too.
func join(t testing.TB, url string, events int, window time.Duration, c *manualClock) *member {
	t.Helper()
	m := idle(t, url, events, window, c)
	m.run(t)
	await(t, m.store.connected.Load)
	return m
}

// idle is one that does not run yet.
func idle(t testing.TB, url string, events int, window time.Duration, c *manualClock) *member {
	now := time.Now
	if c != nil {
		now = c.now
	}
	s := newLimitStore(storeConfig{URL: url}, unregistered(), slog.New(slog.DiscardHandler), now)
	// Two cores that run other tests too are no reason to give up on the store.
	s.patience, s.budget, s.every = 10*time.Second, 10*time.Second, 50*time.Millisecond
	if c != nil {
		s.script = lasting(t)
		s.clock = func() string { return strconv.FormatInt(c.now().UnixMicro(), 10) }
	}
	l := newLimiter(events, window, true, now())
	s.attach("demo", l)
	return &member{limiter: l, store: s, bucket: l.shared.(*sharedLimit)}
}

func (m *member) run(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		m.store.Run(ctx)
		close(done)
	}()
	var once sync.Once
	m.stop = func() {
		once.Do(func() {
			cancel()
			<-done
		})
	}
	t.Cleanup(m.stop)
}

// knows waits until a member knows of n gateways.
func (m *member) knows(t *testing.T, n int) {
	t.Helper()
	await(t, func() bool { return m.store.gateways() == n })
}

// pair is two gateways that know of each other and share one limit.
func pair(t *testing.T, url string, events int, window time.Duration, c *manualClock) (a, b *member) {
	t.Helper()
	a, b = join(t, url, events, window, c), join(t, url, events, window, c)
	a.knows(t, 2)
	b.knows(t, 2)
	return a, b
}

// drain takes all that a member has.
func (m *member) drain(c *manualClock) (passed int) {
	for {
		got := m.take(7, c.now())
		if passed += got; got == 0 {
			return passed
		}
	}
}

func (m *member) isAway() bool { return m.store.away() }
func (m *member) isBack() bool { return !m.store.away() }

func counted(s *limitStore) (n float64) {
	for _, reason := range storeReasons {
		n += testutil.ToFloat64(s.metrics.Errors.WithLabelValues(reason))
	}
	return n
}

// supplied: the lease is as it should be, so that nothing more is asked for in advance.
func (m *member) supplied() bool {
	m.bucket.mu.Lock()
	defer m.bucket.mu.Unlock()
	return m.bucket.lease > m.bucket.target/2
}

func (m *member) leased() int {
	m.bucket.mu.Lock()
	defer m.bucket.mu.Unlock()
	return m.bucket.lease
}

// scriptConn is a connection to a store that goes by c.
func scriptConn(t *testing.T, r *redistest.Server, c *manualClock) *storeConn {
	t.Helper()
	options, err := storeConfig{URL: r.URL()}.options()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := connectStore(t.Context(), options, "test", lasting(t), func() string { return strconv.FormatInt(c.now().UnixMicro(), 10) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.close() })
	return conn
}

// lasting is the script without the expiry of its keys, which goes by a clock that a test cannot move.
func lasting(t testing.TB) string {
	t.Helper()
	const expiry = ", 'PX', string.format('%.0f', full)"
	if strings.Count(takeText, expiry) != 1 {
		t.Fatal("the script does not expire its keys")
	}
	return strings.Replace(takeText, expiry, "", 1)
}

// wire is a way to a server that can be cut, or stalled.
type wire struct {
	addr, to string
	mu       sync.Mutex
	broken   bool
	stalled  chan struct{} // nil: not stalled; closed when it goes on
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
			all.Go(func() { _, _ = io.Copy(far, stallable{near, w}); _ = far.Close() })
			all.Go(func() { _, _ = io.Copy(near, stallable{far, w}); _ = near.Close() })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.stall(false)
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

// stall makes the wire a black hole, or lets what it holds go on.
func (w *wire) stall(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case on:
		w.stalled = make(chan struct{})
	case w.stalled != nil:
		close(w.stalled)
		w.stalled = nil
	}
}

// stallable is one end of a wire.
type stallable struct {
	net.Conn
	of *wire
}

// Read implements io.Reader. It returns nothing while the wire is stalled.
func (s stallable) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	s.of.mu.Lock()
	stalled := s.of.stalled
	s.of.mu.Unlock()
	if stalled != nil {
		<-stalled
	}
	return n, err
}
