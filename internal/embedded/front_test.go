//go:build linux || darwin

package embedded

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

// behindFront starts an engine with a front.
func behindFront(t *testing.T) (*Engine, *running) {
	t.Helper()
	e := testEngine(t, t.TempDir())
	e.cfg.Front, e.cfg.Restart = true, true
	return e, begin(t, e.Ready(), e.Run)
}

func ping(t *testing.T, addr string, auth clickhouse.Auth) error {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}, Auth: auth})
	require.NoError(t, err)
	defer conn.Close()
	return conn.Ping(t.Context())
}

// A client with a wrong password or a missing database gets a server's answer, and the engine survives.
func TestFrontAnswersWhoIsRefused(t *testing.T) {
	e, run := behindFront(t)
	pid := e.PID()
	conn := connect(t, e)
	for name, auth := range map[string]clickhouse.Auth{
		"wrong password":            {Password: "wrong"},
		"no such user":              {Username: "nobody", Password: "x"},
		"no such user, no password": {Username: "nobody"},
	} {
		for range 3 {
			err := ping(t, e.TCPAddr(), auth)
			var refused *clickhouse.Exception
			require.ErrorAs(t, err, &refused, name)
			require.Contains(t, []int32{194, 516}, refused.Code, name)
			require.Contains(t, refused.Message, "Authentication failed: password is incorrect", name)
		}
	}
	require.NoError(t, ping(t, e.TCPAddr(), clickhouse.Auth{Username: "default", Database: "system"}))
	for range 3 {
		var refused *clickhouse.Exception
		require.ErrorAs(t, ping(t, e.TCPAddr(), clickhouse.Auth{Database: "none"}), &refused)
		require.EqualValues(t, 81, refused.Code)
		require.Contains(t, refused.Message, "Database none does not exist")
	}

	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE kept (id UInt64, name String) ENGINE = MergeTree ORDER BY id"))
	insert(t, conn, "kept", "a", 1, 2, 3)
	require.EqualValues(t, 3, count(t, conn, "SELECT count() FROM kept"))
	require.Equal(t, pid, e.PID(), "the engine was restarted")
	require.NoError(t, conn.Close())
	require.NoError(t, run.end())
	_, err := claim(e.TCPAddr())
	require.NoError(t, err, "Run left its port behind")
}

// When a client disconnects, the engine reads the end of its input, and the front discards its output. So the engine
// never writes to a closed connection.
func TestFrontPassesOnThatAClientHasGone(t *testing.T) {
	engine, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer engine.Close()
	f, err := newFront("127.0.0.1:0")
	require.NoError(t, err)
	defer f.close()
	f.serve(engine.Addr().String(), "127.0.0.1:1")

	client, err := net.Dial("tcp", f.addr())
	require.NoError(t, err)
	_, err = client.Write([]byte("\x05not a hello"))
	require.NoError(t, err)
	inner, err := engine.Accept()
	require.NoError(t, err)
	defer inner.Close()
	require.NoError(t, inner.SetDeadline(time.Now().Add(unreadTimeout/2)))
	_, err = inner.Write([]byte("never read"))
	require.NoError(t, err)
	require.NoError(t, client.(*net.TCPConn).SetLinger(0)) // disconnects as if killed
	require.NoError(t, client.Close())
	said, err := io.ReadAll(inner)
	require.NoError(t, err)
	require.Equal(t, "\x05not a hello", string(said))
	for range 100 {
		_, err = inner.Write(make([]byte, 64<<10))
		require.NoError(t, err)
	}
}

// Without a front the library's process ends. It restarts at once, logs the cause and how long it was away, and keeps
// its rows.
func TestEngineIsBackAfterAFailedLogin(t *testing.T) {
	said := &lines{}
	e := testEngine(t, t.TempDir())
	e.cfg.Restart = true
	e.log = logTo(said)
	run := begin(t, e.Ready(), e.Run)
	conn := connect(t, e)
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE kept (id UInt64, name String) ENGINE = MergeTree ORDER BY id"))
	insert(t, conn, "kept", "a", 1, 2, 3)
	pid := e.PID()
	began := time.Now()
	require.Error(t, ping(t, e.TCPAddr(), clickhouse.Auth{Password: "wrong"}))
	eventually(t, "the engine came back", func() bool { now := e.PID(); return now != 0 && now != pid })
	eventually(t, "the rows came back", func() bool {
		var n uint64
		return conn.QueryRow(t.Context(), "SELECT count() FROM kept").Scan(&n) == nil && n == 3
	})
	t.Logf("away for %s in all", time.Since(began))
	require.Contains(t, said.String(), "signal: killed", "it was waited for while it described its stack")
	require.Contains(t, said.String(), "its cause: Code: 516. DB::Exception: default: Authentication failed: password is incorrect")
	eventually(t, "it said that it is back", func() bool { return strings.Contains(said.String(), "embedded engine is back") })
	require.NoError(t, conn.Close())
	require.NoError(t, run.end())
}

func logTo(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// lines is a buffer that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The engine decides who may log in.
func TestFrontAsksTheEngine(t *testing.T) {
	f, err := newFront("127.0.0.1:0")
	require.NoError(t, err)
	defer f.close()
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-ClickHouse-User") != "somebody" || r.Header.Get("X-ClickHouse-Key") != "right" {
			w.Header().Set("X-ClickHouse-Exception-Code", "194")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer engine.Close()
	addr := engine.Listener.Addr().String()
	require.Nil(t, f.refuses(addr, hello{"", "somebody", "right"}))
	require.EqualValues(t, 194, f.refuses(addr, hello{"", "somebody", "wrong"}).code)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, nobody.Close())
	require.Nil(t, f.refuses(nobody.Addr().String(), hello{"", "somebody", "right"}), "an engine that is away refuses nobody")
}

func TestUncaught(t *testing.T) {
	name := filepath.Join(t.TempDir(), "log")
	const before = "2026.11.28 06:40:46.1 [ 1 ] {} <Fatal> ClientBase: Terminate called for uncaught exception:\n2026.11.28 06:40:46.3 [ 1 ] {} <Fatal> ClientBase: Code: 1. Old\n"
	const half = "2026.11.28 06:40:46.2 [ 1 ] {} <Fatal> ClientBase: (from thread 9) Terminate called for uncaught exception:\n2026.11.28 06:40:46.3 [ 1 ] {} <Fatal> ClientBase: Code: 516. DB::"
	require.Empty(t, uncaught(name, 0), "no file")
	require.NoError(t, os.WriteFile(name, []byte(before), 0o600))
	require.Empty(t, uncaught(name, int64(len(before))), "of an earlier engine")
	require.Equal(t, "Code: 1. Old", uncaught(name, 0))
	require.NoError(t, os.WriteFile(name, []byte(before+half), 0o600))
	require.Empty(t, uncaught(name, int64(len(before))), "not all of it is there yet")
	require.NoError(t, os.WriteFile(name, []byte(before+half+"Exception: x\n2026\n"), 0o600))
	require.Equal(t, "Code: 516. DB::Exception: x", uncaught(name, int64(len(before))))
	require.Equal(t, "Code: 1. Old", uncaught(name, 1<<20), "the log was begun anew")
	require.NoError(t, os.WriteFile(name, []byte("2026.11.28 06:40:46.2 [ 1 ] {a-b} <Error> x: Terminate called for uncaught exception:\nx\n"), 0o600))
	require.Empty(t, uncaught(name, 0), "a query that has the words in it")
}

func TestPeekHello(t *testing.T) {
	packet := func(database, user, password string) []byte {
		out := []byte{0}
		add := func(s string) { out = append(binary.AppendUvarint(out, uint64(len(s))), s...) }
		add("a client")
		for _, n := range []uint64{26, 7, 54_000} {
			out = binary.AppendUvarint(out, n)
		}
		add(database)
		add(user)
		add(password)
		return append(out, "more"...)
	}
	for _, tc := range []struct {
		database, user, password string
		mayFail                  bool
	}{
		{"", "", "", false}, {"default", "default", "", false}, {"", "default", "x", true}, {"", "", "x", true}, {"", "a", "", true},
		{"a", "default", "", true}, {"a", " INTERSERVER SECRET ", "", false},
	} {
		r := bufio.NewReaderSize(bytes.NewReader(packet(tc.database, tc.user, tc.password)), helloLimit)
		h, ok := peekHello(r)
		require.True(t, ok)
		require.Equal(t, hello{tc.database, tc.user, tc.password}, h)
		require.Equal(t, tc.mayFail, h.mayFail())
		all, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, packet(tc.database, tc.user, tc.password), all, "nothing was taken")
	}
	for name, text := range map[string]string{
		"nothing": "", "cut short": string(packet("d", "u", "p")[:20]), "HTTP": "GET / HTTP/1.1\r\n\r\n", "another packet": "\x01",
		"endless number": "\x00\x01a" + strings.Repeat("\xff", 20), "too long": "\x00\xff\xff\xff\x7f" + strings.Repeat("a", helloLimit),
	} {
		_, ok := peekHello(bufio.NewReaderSize(strings.NewReader(text), helloLimit))
		require.False(t, ok, name)
	}
}

func TestFrontIsOnLoopbackOnly(t *testing.T) {
	_, err := newFront("0.0.0.0:0")
	require.ErrorContains(t, err, "loopback only")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = newFront(taken.Addr().String())
	require.ErrorContains(t, err, "stop the program that uses it")
}
