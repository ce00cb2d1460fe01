package gateway

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// dial opens a connection of its own that is closed with the test.
func (s *served) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

// ask sends a request over a connection and reads the answer; nil if the connection ended instead.
func ask(t *testing.T, conn net.Conn, text string) *http.Response {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		return nil
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(strings.NewReader(string(body)))
	return resp
}

const (
	rawHealth = "GET " + pathHealth + " HTTP/1.1\r\nHost: a\r\n\r\n"
	rawEvent  = "POST " + pathEvents + " HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + testKey + "\r\nOrigin: https://shop.example\r\nContent-Length: 15\r\n\r\n" + `{"message":"x"}`
)

// TestConnections: up to the limit connections are served; the request of one more is answered 503 as any other is, and the
// next fits when one has gone.
func TestConnections(t *testing.T) {
	const most = 3
	s := serve(t, func(c *Config, _ *Deps) { c.MaxConnections = most })
	var held []net.Conn
	for i := range most {
		conn := s.dial()
		held = append(held, conn)
		if resp := ask(t, conn, rawEvent); resp == nil || resp.StatusCode != 202 || resp.Close {
			t.Fatalf("connection %d: got %v", i+1, resp)
		}
	}
	if got := s.counter("sluice_gateway_connections", ""); got != most {
		t.Errorf("the gauge says %v", got)
	}
	for _, text := range []string{rawEvent, strings.Replace(rawEvent, pathEvents, pathBulk, 1)} {
		resp := ask(t, s.dial(), text)
		if resp == nil || resp.StatusCode != 503 || !resp.Close {
			t.Fatalf("one more: got %v", resp)
		}
		var body errorBody
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || body.Code != "unavailable" || !body.Retryable {
			t.Errorf("one more: got %+v, %v", body, err)
		}
		for _, name := range []string{"Retry-After", "X-Request-Id", "Access-Control-Allow-Origin"} {
			if resp.Header.Get(name) == "" {
				t.Errorf("one more: no %s", name)
			}
		}
	}
	if resp := ask(t, s.dial(), rawHealth); resp == nil || resp.StatusCode != 200 || !resp.Close {
		t.Errorf("a load balancer's check: got %v", resp)
	}
	if got := s.counter("sluice_gateway_overload_total", limitConnections); got != 3 {
		t.Errorf("counted %v", got)
	}
	for i, conn := range held {
		if resp := ask(t, conn, rawEvent); resp == nil || resp.StatusCode != 202 {
			t.Errorf("connection %d meanwhile: got %v", i+1, resp)
		}
	}
	waitUntil(t, func() bool { return s.connections() == most })
	_ = held[0].Close()
	waitUntil(t, func() bool { return s.connections() == most-1 })
	if resp := ask(t, s.dial(), rawEvent); resp == nil || resp.StatusCode != 202 || resp.Close {
		t.Errorf("in place of one that went: got %v", resp)
	}
}

// TestFloodOfConnections: those far beyond the limit are closed as they come, the silent ones among the first soon; whoever
// is inside notices nothing.
func TestFloodOfConnections(t *testing.T) {
	s := serve(t, func(c *Config, _ *Deps) { c.MaxConnections = 1 })
	inside := s.dial()
	if resp := ask(t, inside, rawEvent); resp == nil || resp.StatusCode != 202 {
		t.Fatalf("got %v", resp)
	}
	for range surplus {
		s.dial()
	}
	waitUntil(t, func() bool { return s.connections() == 1+surplus })
	full := time.Now()
	if resp := ask(t, s.dial(), rawEvent); resp != nil {
		t.Errorf("one beyond all: got %v", resp)
	}
	if resp := ask(t, inside, rawEvent); resp == nil || resp.StatusCode != 202 {
		t.Errorf("the one inside: got %v", resp)
	}
	waitUntil(t, func() bool { return s.connections() == 1 })
	if took := time.Since(full); took > surplusTime+5*time.Second {
		t.Errorf("the silent ones stayed %s", took)
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
		g := &Gateway{cfg: Config{MaxConnections: most}, log: slog.New(slog.DiscardHandler)}
		if got := g.bounded(nil).(*boundedListener).most; got != want { //nolint:forcetypeassert // a test
			t.Errorf("%d with %d files: got %d, want %d", most, files, got, want)
		}
	}
}
