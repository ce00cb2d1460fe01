package gateway

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"
)

// connServer is a server whose connections are bounded. It answers 202, or 503 over a connection beyond the bound.
type connServer struct {
	*connSet
	t          *testing.T
	addr       string
	turnedAway atomic.Int64
}

func newConnServer(t *testing.T, most int) *connServer {
	t.Helper()
	s := &connServer{t: t}
	inner := &fasthttp.Server{ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, Handler: func(ctx *fasthttp.RequestCtx) {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
		if isSurplus(ctx) {
			ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
			ctx.SetConnectionClose()
		}
	}}
	s.connSet = newConnSet(inner, connConfig{
		Max: most, TurnedAway: func() { s.turnedAway.Add(1) }, Log: slog.New(slog.DiscardHandler),
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- inner.Serve(s.bound(l)) }()
	t.Cleanup(func() {
		if err := errors.Join(inner.Shutdown(), <-served); err != nil {
			t.Error(err)
		}
	})
	return s
}

// connect opens a connection that closes with the test.
func (s *connServer) connect() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// connStatus sends a request over a connection and returns the status of the answer, or 0 if the connection ended instead.
func connStatus(conn net.Conn) int {
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return 0
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// becomes waits until the set has n open connections.
func (s *connServer) becomes(n int) {
	s.t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for s.open() != n {
		select {
		case <-tick.C:
		case <-deadline.C:
			s.t.Fatalf("%d connections are open after 20 s, want %d", s.open(), n)
		}
	}
}

// TestFloodOfConnections: connections far beyond the bound close on accept, and silent ones below that soon after. The one
// within the bound is served all the time.
func TestFloodOfConnections(t *testing.T) {
	s := newConnServer(t, 1)
	inside := s.connect()
	if got := connStatus(inside); got != 202 {
		t.Fatalf("got %d", got)
	}
	for range surplus {
		s.connect()
	}
	s.becomes(1 + surplus)
	full := time.Now()
	if got := connStatus(s.connect()); got != 0 {
		t.Errorf("one beyond all: got %d", got)
	}
	if got := connStatus(inside); got != 202 {
		t.Errorf("the one inside: got %d", got)
	}
	s.becomes(1)
	if took := time.Since(full); took > surplusTime+5*time.Second {
		t.Errorf("the silent ones stayed %s", took)
	}
	if got := s.turnedAway.Load(); got != surplus+1 {
		t.Errorf("%d were counted, want %d", got, surplus+1)
	}
	if got := connStatus(inside); got != 202 {
		t.Errorf("the one inside, afterwards: got %d", got)
	}
}

// failingListener fails so often before it hands out a connection.
type failingListener struct {
	net.Listener
	failures int
	err      error
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures--; l.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Err: l.err}
	}
	return new(net.TCPConn), nil
}

func (l *failingListener) Close() error { return nil }

// TestOutOfFiles: a system that has no file left for a connection is waited for; the server would have ended.
func TestOutOfFiles(t *testing.T) {
	listener := func(failures int, err error) *boundedListener {
		return &boundedListener{
			Listener: &failingListener{failures: failures, err: err}, open: func() int { return 0 },
			log: slog.New(slog.DiscardHandler), closed: make(chan struct{}),
		}
	}
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			if c, err := listener(20, errno).Accept(); err != nil || c == nil {
				t.Errorf("%v: got %v", errno, err)
			}
			if took := time.Since(start); took < time.Second || took > 20*time.Second {
				t.Errorf("%v: took %s", errno, took)
			}
		})
	}
	if _, err := listener(1, syscall.EINVAL).Accept(); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("got %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		l := listener(1000, syscall.EMFILE)
		time.AfterFunc(time.Minute, func() { _ = l.Close() })
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed meanwhile: got %v", err)
		}
	})
}

// TestConnectionsAndFiles: the limit never exceeds what the system's limit of open files leaves.
func TestConnectionsAndFiles(t *testing.T) {
	files := openFilesLimit()
	if files == 0 {
		t.Skip("this system does not say how many files may be open")
	}
	room := files - surplus - otherFiles
	for most, want := range map[int]int{0: 0, 1: 1, room - 1: room - 1, room: room, room + 1: room} {
		s := newConnSet(&fasthttp.Server{}, connConfig{Max: most, Log: slog.New(slog.DiscardHandler)})
		if got := s.bound(nil).(*boundedListener).most; got != want {
			t.Errorf("%d with %d files: got %d, want %d", most, files, got, want)
		}
	}
}
