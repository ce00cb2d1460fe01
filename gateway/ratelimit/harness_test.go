package ratelimit

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
	"github.com/stretchr/testify/require"

	"sluice/gateway/ratelimit/redistest"
)

// manualClock is a clock that only advance moves.
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

// await waits until a condition holds.
func await(t testing.TB, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatal("the condition does not hold after a minute")
		}
	}
}

// unregistered returns metrics that nobody collects.
func unregistered() Metrics {
	return Metrics{
		Errors:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "errors"}, []string{"reason"}),
		Duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "duration"}),
	}
}

// member is the rate limit of one gateway.
type member struct {
	*Limiter
	store  *Store
	bucket *sharedLimit
	stop   func()
}

// join starts a member that shares a limit through the store of that URL. If c is not nil, the member and the store's
// buckets go by it.
func join(t testing.TB, url string, events int, window time.Duration, c *manualClock) *member {
	t.Helper()
	m := idle(t, url, events, window, c)
	m.run(t)
	await(t, m.store.connected.Load)
	return m
}

// idle returns a member that does not run yet.
func idle(t testing.TB, url string, events int, window time.Duration, c *manualClock) *member {
	t.Helper()
	now := time.Now
	if c != nil {
		now = c.now
	}
	s := NewStore(Config{URL: url}, unregistered(), slog.New(slog.DiscardHandler), now)
	// A busy machine must not look like a store that is away.
	s.cfg.Wait, s.cfg.Timeout = 10*time.Second, 10*time.Second
	s.pace.heartbeat, s.pace.tick = 50*time.Millisecond, 20*time.Millisecond
	if c != nil {
		s.script = scriptWithoutExpiry(t)
		s.clock = func() string { return strconv.FormatInt(c.now().UnixMicro(), 10) }
	}
	l := New(Limit{Events: events, Window: window, ExactRetryAfter: true}, now())
	s.Attach("demo", l)
	return &member{Limiter: l, store: s, bucket: l.shared.(*sharedLimit)}
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
	await(t, func() bool { return m.store.Gateways() == n })
}

// pair returns two members that share one limit and know of each other.
func pair(t *testing.T, url string, events int, window time.Duration, c *manualClock) (a, b *member) {
	t.Helper()
	a, b = join(t, url, events, window, c), join(t, url, events, window, c)
	a.knows(t, 2)
	b.knows(t, 2)
	return a, b
}

// drain takes all that a member lets pass.
func (m *member) drain(c *manualClock) (passed int) {
	for {
		got := m.Take(7, c.now())
		if passed += got; got == 0 {
			return passed
		}
	}
}

func (m *member) isAway() bool { return m.store.away() }
func (m *member) isBack() bool { return !m.store.away() }

// counted returns how many errors the store's metrics have.
func counted(s *Store) (n float64) {
	for _, reason := range Reasons {
		n += testutil.ToFloat64(s.metrics.Errors.WithLabelValues(reason))
	}
	return n
}

// supplied reports whether the lease is large enough, so that the member asks for nothing in advance.
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

// scriptConn returns a connection to a store whose buckets go by c.
func scriptConn(t *testing.T, r *redistest.Server, c *manualClock) *connection {
	t.Helper()
	options, err := Config{URL: r.URL()}.options()
	require.NoError(t, err)
	micros := func() string { return strconv.FormatInt(c.now().UnixMicro(), 10) }
	conn, err := dial(t.Context(), options, "test", scriptWithoutExpiry(t), micros)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.close() })
	return conn
}

// scriptWithoutExpiry returns take.lua without the expiry of keys, which goes by a clock that a test cannot move.
func scriptWithoutExpiry(t testing.TB) string {
	t.Helper()
	const expiry = ", 'PX', string.format('%.0f', full)"
	require.Equal(t, 1, strings.Count(takeScript, expiry))
	return strings.Replace(takeScript, expiry, "", 1)
}

// wire is a connection to a server that can be cut or stalled.
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
	require.NoError(t, err)
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

func (w *wire) url() string { return "redis://" + w.addr }

// take registers both ends of a connection. While the wire is cut, it closes the far one and returns false.
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

// cut breaks all connections, now and until cut(false).
func (w *wire) cut(broken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = broken
	for _, conn := range w.open {
		_ = conn.Close()
	}
	w.open = nil
}

// stall holds all bytes back until stall(false).
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

// Read implements io.Reader. It does not return while the wire is stalled.
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
