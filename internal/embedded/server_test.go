//go:build linux || darwin

package embedded

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/embedded/dirlock"
	"sluice/internal/embedded/fetch"
)

// pretendServer is this test program under the name clickhouse. It does as much of a server as a start needs.
func pretendServer() {
	exit(func() error {
		if len(os.Args) != 3 || os.Args[1] != "server" {
			return fmt.Errorf("unexpected arguments %q", os.Args)
		}
		text, err := os.ReadFile(strings.TrimPrefix(os.Args[2], "--config-file="))
		if err != nil {
			return err
		}
		var config struct {
			Host string `xml:"listen_host"`
			TCP  string `xml:"tcp_port"`
			HTTP string `xml:"http_port"`
			Path string `xml:"path"`
		}
		if err := xml.Unmarshal(text, &config); err != nil {
			return err
		}
		native, err := net.Listen("tcp", net.JoinHostPort(config.Host, config.TCP))
		if err != nil {
			return err
		}
		defer native.Close()
		server := &http.Server{
			Addr:    net.JoinHostPort(config.Host, config.HTTP),
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "1\n") }),
		}
		term := make(chan os.Signal, 1)
		signal.Notify(term, syscall.SIGTERM) // before it answers, because afterwards it may be told to stop
		go server.ListenAndServe()
		<-term
		return os.WriteFile(filepath.Join(filepath.Dir(filepath.Clean(config.Path)), "stopped-in-order"), nil, 0o600)
	}())
}

// onPath makes a directory with the test program as clickhouse, and sets PATH to it.
func onPath(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "clickhouse")))
	t.Setenv("PATH", dir)
}

func TestEngineFromPath(t *testing.T) {
	onPath(t)
	dir := t.TempDir()
	e := testEngine(t, dir)
	e.source = func(ctx context.Context) (fetch.Source, error) {
		return fetch.Ensure(ctx, fetch.Config{Logger: e.log})
	}
	run := begin(t, e.Ready(), e.Run)
	require.NoError(t, run.end())
	require.FileExists(t, filepath.Join(dir, "stopped-in-order"))
}

func TestEngineFromPathIsStoppedWhenItsWatcherIsKilled(t *testing.T) {
	if _, err := exec.LookPath("/proc/self/exe"); err != nil {
		t.Skip("only Linux ends a server whose watcher was killed")
	}
	onPath(t)
	dir := t.TempDir()
	e := testEngine(t, dir)
	e.source = func(context.Context) (fetch.Source, error) {
		server, err := exec.LookPath("clickhouse")
		return fetch.Source{Server: server}, err
	}
	run := begin(t, e.Ready(), e.Run)
	require.NoError(t, syscall.Kill(e.PID(), syscall.SIGKILL))
	require.ErrorIs(t, <-run.done, errEnded)
	lock, err := dirlock.Take(t.Context(), dir, lockPatience, testLog(t))
	require.NoError(t, err, "the server still runs")
	lock.Release()
	require.FileExists(t, filepath.Join(dir, "stopped-in-order"))
}
