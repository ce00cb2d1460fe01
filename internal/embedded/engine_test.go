//go:build linux || darwin

package embedded

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"sluice/internal/embedded/dirlock"
	"sluice/internal/embedded/fetch"
)

func testEngine(t *testing.T, dir string) *Engine {
	t.Helper()
	return NewEngine(EngineConfig{
		TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: dir, Progress: t.Output(), Logger: testLog(t),
	})
}

func connect(t *testing.T, e *Engine) driver.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr:        []string{e.TCPAddr()},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionLZ4},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func insert(t *testing.T, conn driver.Conn, table, token string, ids ...uint64) {
	t.Helper()
	ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{
		"async_insert": 0, "insert_deduplication_token": token,
	}))
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table)
	require.NoError(t, err)
	for _, id := range ids {
		require.NoError(t, batch.Append(id, fmt.Sprint("row ", id)))
	}
	require.NoError(t, batch.Send())
}

func count(t *testing.T, conn driver.Conn, query string) (n uint64) {
	t.Helper()
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&n))
	return n
}

func TestEngineKeepsRowsAfterKill(t *testing.T) {
	dir := t.TempDir()
	first := testEngine(t, dir)
	run := begin(t, first.Ready(), first.Run)
	conn := connect(t, first)
	require.NoError(t, conn.Exec(t.Context(), "CREATE DATABASE sluice"))
	require.NoError(t, conn.Exec(t.Context(), `CREATE TABLE sluice.kept (id UInt64, name String) ENGINE = MergeTree
		ORDER BY id SETTINGS non_replicated_deduplication_window = 100`))
	insert(t, conn, "sluice.kept", "a", 1, 2, 3)
	insert(t, conn, "sluice.kept", "a", 1, 2, 3)
	insert(t, conn, "sluice.kept", "b", 3, 4)
	require.EqualValues(t, 5, count(t, conn, "SELECT count() FROM sluice.kept"))

	require.NoError(t, syscall.Kill(first.PID(), syscall.SIGKILL))
	require.ErrorIs(t, <-run.done, errEnded)

	second := testEngine(t, dir)
	run = begin(t, second.Ready(), second.Run)
	conn = connect(t, second)
	insert(t, conn, "sluice.kept", "b", 3, 4) // the token survives the kill as well
	require.EqualValues(t, 5, count(t, conn, "SELECT count() FROM sluice.kept"))
	require.NoError(t, conn.Close())
	require.NoError(t, run.end())
	for _, addr := range []string{second.TCPAddr(), second.HTTPAddr()} {
		_, err := claim(addr)
		require.NoError(t, err, "Run left its port behind")
	}
	require.Zero(t, second.PID())
}

func TestEngineIsRestarted(t *testing.T) {
	e := testEngine(t, t.TempDir())
	e.cfg.Restart = true
	run := begin(t, e.Ready(), e.Run)
	tcp := e.TCPAddr()
	conn := connect(t, e)
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE kept (id UInt64, name String) ENGINE = MergeTree ORDER BY id"))
	insert(t, conn, "kept", "a", 1, 2, 3)
	for range 2 {
		old := e.PID()
		require.NoError(t, syscall.Kill(old, syscall.SIGKILL))
		eventually(t, "the engine came back", func() bool {
			select {
			case err := <-run.done:
				t.Fatal(err)
			default:
			}
			pid := e.PID()
			return pid != 0 && pid != old
		})
		eventually(t, "the rows came back", func() bool {
			var n uint64
			return conn.QueryRow(t.Context(), "SELECT count() FROM kept").Scan(&n) == nil && n == 3
		})
	}
	require.Equal(t, tcp, e.TCPAddr())
	require.NoError(t, conn.Close())
	require.NoError(t, run.end())
	require.Zero(t, e.PID())
}

func TestEngineEndsInOrderOnSIGTERM(t *testing.T) {
	e := testEngine(t, t.TempDir())
	run := begin(t, e.Ready(), e.Run)
	require.NoError(t, syscall.Kill(e.PID(), syscall.SIGTERM))
	err := <-run.done
	require.ErrorIs(t, err, errEnded)
	require.ErrorContains(t, err, "exit status 0")
}

// playEngine is a parent that a test kills. It prints the engine's addresses and waits.
func playEngine() error {
	e := NewEngine(EngineConfig{TCPAddr: os.Args[1], HTTPAddr: os.Args[2], DataDir: os.Args[3]})
	go func() {
		<-e.Ready()
		fmt.Println(e.TCPAddr(), e.HTTPAddr(), e.PID())
	}()
	return e.Run(context.Background())
}

func TestEngineEndsWithItsParent(t *testing.T) {
	dir := t.TempDir()
	parent := play(t, "engine", "127.0.0.1:0", "127.0.0.1:0", dir)
	var tcp, http string
	var pid int
	_, err := fmt.Sscan(parent.line(t), &tcp, &http, &pid)
	require.NoError(t, err)

	parent.kill(t)

	// The next engine starts at once on the same directory and ports: it waits until the first engine has ended.
	next := NewEngine(EngineConfig{TCPAddr: tcp, HTTPAddr: http, DataDir: dir, Logger: testLog(t)})
	run := begin(t, next.Ready(), next.Run)
	require.NotEqual(t, pid, next.PID())
	eventually(t, "the killed parent's engine still runs", func() bool { return !alive(pid) })
	require.NoError(t, run.end())
}

// alive reports whether a process runs. A zombie does not run.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestEngineSaysWhoHasItsAddress(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	e := NewEngine(EngineConfig{TCPAddr: taken.Addr().String(), HTTPAddr: "127.0.0.1:0", DataDir: t.TempDir()})
	err = e.Run(briefly(t))
	require.ErrorContains(t, err, "native protocol: cannot listen on "+taken.Addr().String())
	require.ErrorContains(t, err, "another address")
}

func TestEngineRefusesToListenToTheWorld(t *testing.T) {
	e := NewEngine(EngineConfig{TCPAddr: "0.0.0.0:0", HTTPAddr: "127.0.0.1:0", DataDir: t.TempDir()})
	require.ErrorContains(t, e.Run(briefly(t)), "loopback only")
}

func TestEngineSaysWhoHasItsData(t *testing.T) {
	dir := t.TempDir()
	lock, err := dirlock.Take(t.Context(), dir, time.Second, testLog(t))
	require.NoError(t, err)
	defer lock.Release()
	e := testEngine(t, dir)
	e.patience = time.Millisecond
	require.ErrorContains(t, e.Run(briefly(t)), fmt.Sprintf("data directory %s is in use by process %d", dir, os.Getpid()))
}

func TestEngineLastWords(t *testing.T) {
	library := filepath.Join(t.TempDir(), "libchdb.so")
	require.NoError(t, os.WriteFile(library, []byte("not a library"), 0o600))
	e := testEngine(t, t.TempDir())
	e.source = func(context.Context) (fetch.Source, error) { return fetch.Source{Library: library}, nil }
	err := e.Run(briefly(t))
	require.ErrorIs(t, err, errEnded)
	require.ErrorContains(t, err, "load the engine")
}

func TestEngineStoppedBeforeItIsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	e := testEngine(t, t.TempDir())
	source := e.source
	e.source = func(ctx context.Context) (fetch.Source, error) {
		defer cancel()
		return source(ctx)
	}
	require.NoError(t, e.Run(ctx))
	require.Zero(t, e.PID())
}

// played is this test program in one of its roles.
type played struct {
	cmd *exec.Cmd
	out *bufio.Reader
}

func play(t *testing.T, part string, args ...string) *played {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, args...)
	cmd.Env = append(os.Environ(), role+"="+part)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &played{cmd: cmd, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return p
}

func (p *played) line(t *testing.T) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

func (p *played) kill(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Kill())
	_ = p.cmd.Wait()
}
