package examples

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestExamples starts the pipeline as README.md says, runs each example, and looks its events up in ClickHouse.
func TestExamples(t *testing.T) {
	dev := startDev(t)
	t.Run("curl", func(t *testing.T) {
		dev.run(t, "sh", "curl/send.sh")
		dev.wants(t, "one event from curl", "first of a bulk from curl", "second of a bulk from curl",
			"third of a bulk from curl", "compressed from curl")
	})
	t.Run("go", func(t *testing.T) {
		require.Contains(t, dev.run(t, "go", "run", "./go"), "accepted: 2")
		dev.wants(t, "first event from Go", "second event from Go")
	})
	t.Run("python", func(t *testing.T) {
		require.Contains(t, dev.run(t, "python3", "python/send.py"), "accepted: 2")
		dev.wants(t, "first event from Python", "second event from Python")
	})
	t.Run("node", func(t *testing.T) {
		require.Contains(t, dev.run(t, "node", "node/send.mjs"), "accepted: 2")
		dev.wants(t, "first event from Node", "second event from Node")
	})
	t.Run("stream", func(t *testing.T) {
		require.Contains(t, dev.run(t, "go", "run", "./stream"), "accepted: 100")
		dev.wants(t, "event 0 from a stream", "event 99 from a stream")
		ctx := browser(t)
		pages := httptest.NewServer(http.FileServer(http.Dir("stream")))
		defer pages.Close()
		page := pages.URL + "/?key=dev-key&url=" + url.QueryEscape(dev.gateway)
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(page), chromedp.Click("button")))
		dev.wants(t, "hello from a page")
	})
	t.Run("browser", func(t *testing.T) {
		ctx := browser(t)
		pages := httptest.NewServer(http.FileServer(http.Dir("browser")))
		defer pages.Close()
		page := pages.URL + "/?key=dev-key&url=" + url.QueryEscape(dev.gateway)
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(page), chromedp.Click("#fail")))
		dev.wants(t, "TypeError: an error in a browser")
		// A page that closes at once sends with a beacon.
		_, err := chromedp.Run(ctx, chromedp.Evaluate[int](`Promise.reject(new RangeError("at the end")); 0`))
		require.NoError(t, err)
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
		dev.wants(t, "RangeError: at the end")
	})
}

// dev is a running sluice dev.
type dev struct {
	gateway    string // URL
	clickhouse string // URL
	log        *log
}

// startDev builds sluice and runs its dev command until the test ends.
func startDev(t *testing.T) *dev {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "sluice")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput()
	require.NoError(t, err, string(out))
	addr := freeAddrs(t, 6)
	d := &dev{gateway: "http://" + addr[0], clickhouse: "http://" + addr[1], log: &log{}}
	cmd := exec.Command(program, "dev", "--data-dir="+filepath.Join(dir, "data"),
		"--http-addr="+addr[0], "--clickhouse-http-addr="+addr[1], "--clickhouse-addr="+addr[2], "--kafka-addr="+addr[3],
		"--admin-addr="+addr[4], "--consumer-admin-addr="+addr[5], "--flush-age=50ms", "--inserts-per-second=1000")
	cmd.Stdout, cmd.Stderr = d.log, d.log
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case err := <-ended:
			assert.NoError(t, err, d.log.String())
		case <-time.After(time.Minute):
			_ = cmd.Process.Kill()
			t.Errorf("sluice dev does not end:\n%s", d.log)
		}
	})
	require.Eventually(t, func() bool { return strings.Contains(d.log.String(), "ready in") }, 2*time.Minute,
		10*time.Millisecond, "sluice dev is not ready: %s", d.log)
	return d
}

// run runs an example and returns its output. The test is skipped where the program is not installed, but not in CI.
func (d *dev) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	path := find(t, program)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "SLUICE_URL="+d.gateway, "SLUICE_KEY=dev-key")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

// wants waits until each message is in exactly one row.
func (d *dev) wants(t *testing.T, messages ...string) {
	t.Helper()
	for _, message := range messages {
		query := fmt.Sprintf("SELECT count() FROM sluice.events WHERE message = '%s'", message)
		last := ""
		require.Eventually(t, func() bool {
			last = d.query(query)
			return last == "1"
		}, time.Minute, 20*time.Millisecond, "%q", message)
		require.Equal(t, "1", last)
	}
}

func (d *dev) query(query string) string {
	res, err := http.Post(d.clickhouse+"/", "text/plain", strings.NewReader(query))
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

func find(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not on the path; .ci/run installs it", program)
		}
		t.Skipf("%s is not on the path: install it to run this example", program)
	}
	return path
}

// browser starts a browser without a window that reaches this machine only.
func browser(t *testing.T) context.Context {
	t.Helper()
	home := t.TempDir()
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(find(t, "chromium")), chromedp.UserDataDir(home), chromedp.Env("HOME="+home, "TMPDIR="+home),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"),
		chromedp.WSURLReadTimeout(time.Minute))...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx) }) // waits until the browser has ended
	ctx, timeout := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(timeout)
	require.NoError(t, chromedp.Do(ctx), "start chromium")
	return ctx
}

// freeAddrs returns addresses that nobody listens on.
func freeAddrs(t *testing.T, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close() // all at the end, so that they differ
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// log collects a program's output while it is read.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
