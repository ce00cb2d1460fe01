package gateway

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a real Redis on a port of its own, which keeps nothing on disk.
type redisServer struct {
	t      testing.TB
	addr   string
	config string // more of redis.conf
	cmd    *exec.Cmd
}

// startRedis starts one and stops it when the test ends. config is more of redis.conf.
func startRedis(t testing.TB, config string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not on the path")
		}
		t.Skip("redis-server is not on the path; Debian's package redis-server has it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &redisServer{t: t, addr: l.Addr().String(), config: config}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.kill)
	r.start()
	return r
}

func (r *redisServer) start() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command("redis-server", "-") //nolint:gosec // a test
	// The last of two lines of one name counts, so that config can change any.
	r.cmd.Stdin = bytes.NewBufferString("bind 127.0.0.1\nport " + port + "\nsave \"\"\nappendonly no\ndir " + r.t.TempDir() + "\n" + r.config + "\n")
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	waitUntil(r.t, func() bool {
		conn, err := net.Dial("tcp", r.addr)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// kill ends it as a crash does.
func (r *redisServer) kill() {
	if r.cmd != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
		r.cmd = nil
	}
}

// stall makes it a black hole, or lets it go on.
func (r *redisServer) stall(on bool) {
	signal := syscall.SIGCONT
	if on {
		signal = syscall.SIGSTOP
	}
	if err := r.cmd.Process.Signal(signal); err != nil {
		r.t.Fatal(err)
	}
}

func (r *redisServer) url() string { return "redis://" + r.addr }

// client is for tests that look at the keys themselves.
func (r *redisServer) client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: r.addr, Protocol: 2, PipelinePoolSize: -1})
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// calls is how often the buckets were asked.
func (r *redisServer) calls() int {
	r.t.Helper()
	text, err := r.client().Info(r.t.Context(), "commandstats").Result()
	if err != nil {
		r.t.Fatal(err)
	}
	_, rest, _ := bytes.Cut([]byte(text), []byte("cmdstat_evalsha:calls="))
	n, _, _ := bytes.Cut(rest, []byte(","))
	calls, _ := strconv.Atoi(string(n))
	return calls
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
func join(t testing.TB, r *redisServer, events int, window time.Duration, c *clock) *member {
	t.Helper()
	m := idle(t, r, events, window, c)
	m.run(t)
	waitUntil(t, m.store.connected.Load)
	return m
}

// idle is one that does not run yet.
func idle(t testing.TB, r *redisServer, events int, window time.Duration, c *clock) *member {
	now := time.Now
	if c != nil {
		now = c.now
	}
	s := newLimitStore(Config{LimitStore: r.url()}, slog.New(slog.DiscardHandler), now)
	// Two cores that run other tests too are no reason to give up on the store.
	s.patience, s.budget, s.every = 10*time.Second, 10*time.Second, 50*time.Millisecond
	if c != nil {
		s.script = lasting(t)
		s.clock = func() string { return strconv.FormatInt(c.now().UnixMicro(), 10) }
	}
	l := newLimiter(events, window, true, now())
	l.shared = newSharedLimit(s, storeKey("demo", l), l.events, l.window)
	return &member{limiter: l, store: s, bucket: l.shared.(*sharedLimit)} //nolint:forcetypeassert // made above
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
	waitUntil(t, func() bool { return m.store.gateways() == n })
}
