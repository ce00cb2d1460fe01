// Package redistest runs a Redis for a test, on a port of its own: in the test's process, which always works, or as a
// real redis-server, which skips the test where that program is missing.
//
// Use the real one for what is Redis' own behaviour, such as a crash or the pace of its scripts.
package redistest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// Server is a Redis. It keeps nothing on disk and ends with its test.
type Server struct {
	// Memory is the Redis in this process; nil for a redis-server.
	Memory *miniredis.Miniredis

	t       testing.TB
	addr    string
	config  string    // of redis-server
	process *exec.Cmd // nil while it does not run
	calls   atomic.Int64
}

// Start returns a Redis in this process. Its keys expire by the clock.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, Memory: miniredis.NewMiniRedis()}
	s.Memory.ClockTTL(true)
	t.Cleanup(s.Memory.Close)
	s.Start()
	s.addr = s.Memory.Addr()
	return s
}

// StartProcess returns a redis-server. config has more lines of redis.conf. Without the program, the test is skipped,
// or fails if the environment says CI=true.
func StartProcess(t testing.TB, config string) *Server {
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
	s := &Server{t: t, addr: l.Addr().String(), config: config}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Each runs a test with both kinds of Redis.
func Each(t *testing.T, test func(t *testing.T, s *Server)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { test(t, Start(t)) })
	t.Run("redis-server", func(t *testing.T) { test(t, StartProcess(t, "")) })
}

// Start starts a Redis that was killed, on the same port and without its data.
func (s *Server) Start() {
	s.t.Helper()
	if s.Memory != nil {
		if err := s.Memory.Start(); err != nil {
			s.t.Fatal(err)
		}
		s.Memory.Server().SetPreHook(func(_ *server.Peer, command string, _ ...string) bool {
			if command == "EVALSHA" {
				s.calls.Add(1)
			}
			return false
		})
		return
	}
	_, port, _ := net.SplitHostPort(s.addr)
	s.process = exec.Command("redis-server", "-")
	// redis-server takes the last of two lines of one name, so config can override each of these.
	s.process.Stdin = strings.NewReader("bind 127.0.0.1\nport " + port + "\nsave \"\"\nappendonly no\n" +
		"dir " + s.t.TempDir() + "\n" + s.config + "\n")
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.await()
}

// await waits until redis-server accepts connections.
func (s *Server) await() {
	s.t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			s.t.Fatalf("redis-server does not listen after 20 s: %v", err)
		}
	}
}

// Kill ends it as a crash does: connections break and the data is lost.
func (s *Server) Kill() {
	if s.Memory != nil {
		s.Memory.Close()
		s.Memory.FlushAll()
		return
	}
	if s.process != nil {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		s.process = nil
	}
}

// Addr returns host:port.
func (s *Server) Addr() string { return s.addr }

// URL returns the URL to log in without a password.
func (s *Server) URL() string { return "redis://" + s.addr }

// Client returns a client that closes with the test.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.addr, Protocol: 2, PipelinePoolSize: -1})
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// ScriptCalls returns how many scripts ran by EVALSHA.
func (s *Server) ScriptCalls() int {
	s.t.Helper()
	if s.Memory != nil {
		return int(s.calls.Load())
	}
	text, err := s.Client().Info(s.t.Context(), "commandstats").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := bytes.Cut([]byte(text), []byte("cmdstat_evalsha:calls="))
	n := 0
	for _, c := range rest {
		if c < '0' || c > '9' {
			break
		}
		n = 10*n + int(c-'0')
	}
	return n
}
