package conn

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"
)

// server is a server with bounded connections. It answers 202, or 503 over a connection beyond the bound.
type server struct {
	*Set
	t          *testing.T
	addr       string
	turnedAway atomic.Int64
	stop       func()
}

func newServer(t *testing.T, cfg Config, excessTime time.Duration) *server {
	t.Helper()
	s := &server{t: t}
	cfg.TurnedAway, cfg.Log = func() { s.turnedAway.Add(1) }, slog.New(slog.DiscardHandler)
	handler := func(ctx *fasthttp.RequestCtx) {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
		if IsExcess(ctx) {
			ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
			ctx.SetConnectionClose()
		}
	}
	inner := &fasthttp.Server{ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, Handler: handler}
	s.Set = New(inner, cfg)
	s.excessTime = excessTime
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = l.Addr().String()
	served := make(chan error, 1)
	bounded := s.Bound(l)
	go func() { served <- inner.Serve(bounded) }()
	s.stop = sync.OnceFunc(func() {
		assert.NoError(t, inner.Shutdown())
		assert.NoError(t, <-served)
	})
	t.Cleanup(s.stop)
	return s
}

// connect opens a connection that closes with the test.
func (s *server) connect() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() })
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(2*time.Minute)))
	return conn
}

// status sends a request over a connection and returns the status of the answer, or 0 if the connection ended
// instead.
func status(conn net.Conn) int {
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
func (s *server) becomes(n int) {
	s.t.Helper()
	await(s.t, func() bool { return s.Open() == n })
}

// TestFloodOfConnections: connections far beyond the bound close on accept. The one within the bound is served all the
// time.
func TestFloodOfConnections(t *testing.T) {
	t.Parallel()
	s := newServer(t, Config{Max: 1}, time.Minute)
	inside := s.connect()
	require.Equal(t, 202, status(inside))
	var silent []net.Conn
	for range maxExcess {
		silent = append(silent, s.connect())
	}
	s.becomes(1 + maxExcess)
	assert.Zero(t, status(s.connect()), "one beyond all is closed")
	assert.Equal(t, 202, status(inside))
	assert.EqualValues(t, maxExcess+1, s.turnedAway.Load())
	for _, conn := range silent {
		_ = conn.Close()
	}
	s.becomes(1)
	assert.Equal(t, 202, status(inside), "afterwards")
}

// TestSilentExcess: a connection beyond the bound that sends nothing closes soon.
func TestSilentExcess(t *testing.T) {
	t.Parallel()
	s := newServer(t, Config{Max: 1}, 50*time.Millisecond)
	inside, silent := s.connect(), s.connect()
	require.Equal(t, 202, status(inside))
	_, err := io.Copy(io.Discard, silent)
	assert.NoError(t, err, "it ends within the deadline of the test")
	s.becomes(1)
	assert.Equal(t, 202, status(inside), "the one within the bound")
}

// TestConnectionBeyondTheBound is answered, and closes after the answer. When one within the bound has gone, the next
// fits.
func TestConnectionBeyondTheBound(t *testing.T) {
	t.Parallel()
	s := newServer(t, Config{Max: 2}, time.Minute)
	first, second := s.connect(), s.connect()
	require.Equal(t, 202, status(first))
	require.Equal(t, 202, status(second))
	extra := s.connect()
	assert.Equal(t, 503, status(extra))
	assert.Zero(t, status(extra), "it is closed")
	assert.EqualValues(t, 1, s.turnedAway.Load())
	s.becomes(2)
	require.NoError(t, first.Close())
	s.becomes(1)
	assert.Equal(t, 202, status(s.connect()))
	assert.Equal(t, 202, status(second))
}

// failingListener fails so many times before it returns a connection.
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

// TestOutOfFiles: the listener retries while the system has no file left for a connection. The server would stop.
func TestOutOfFiles(t *testing.T) {
	t.Parallel()
	listener := func(failures int, err error) *boundedListener {
		return &boundedListener{
			Listener: &failingListener{failures: failures, err: err}, open: func() int { return 0 },
			log: slog.New(slog.DiscardHandler), closed: make(chan struct{}),
		}
	}
	for _, errno := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.ECONNABORTED,
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			c, err := listener(20, errno).Accept()
			assert.NoError(t, err, errno)
			assert.NotNil(t, c, errno)
			assert.GreaterOrEqual(t, time.Since(start), time.Second, errno)
			assert.LessOrEqual(t, time.Since(start), 20*time.Second, errno)
		})
	}
	_, err := listener(1, syscall.EINVAL).Accept()
	assert.ErrorIs(t, err, syscall.EINVAL)
	synctest.Test(t, func(t *testing.T) {
		l := listener(1000, syscall.EMFILE)
		time.AfterFunc(time.Minute, func() { _ = l.Close() })
		_, err := l.Accept()
		assert.ErrorIs(t, err, net.ErrClosed, "closed while it waits")
	})
}

// TestConnectionsAndFiles: the bound never exceeds what the system's limit of open files leaves.
func TestConnectionsAndFiles(t *testing.T) {
	t.Parallel()
	files := openFilesLimit()
	if files == 0 {
		t.Skip("this system does not tell how many files may be open")
	}
	room := files - maxExcess - otherFiles
	for most, want := range map[int]int{0: 0, 1: 1, room - 1: room - 1, room: room, room + 1: room} {
		s := New(&fasthttp.Server{}, Config{Max: most, Log: slog.New(slog.DiscardHandler)})
		assert.Equal(t, want, s.Bound(nil).(*boundedListener).most, "%d with %d files", most, files)
	}
}
