package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dev is a running sluice dev with one project for each client.
type dev struct {
	gateway, clickhouse             string // URLs
	gatewayMetrics, consumerMetrics string // URLs
	log                             *log
	mu                              sync.Mutex // of what the test collects
}

// startDev builds sluice and runs its dev command until the test ends.
func startDev(t *testing.T, clients []stock) *dev {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "sluice")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "sluice/cmd/sluice").CombinedOutput()
	require.NoError(t, err, string(out))
	projects := filepath.Join(dir, "projects.yaml")
	require.NoError(t, os.WriteFile(projects, []byte(projectsFile(clients)), 0o600))
	addr := freeAddrs(t, 6)
	d := &dev{
		gateway: "http://" + addr[0], clickhouse: "http://" + addr[1], log: &log{},
		gatewayMetrics: "http://" + addr[4] + "/metrics", consumerMetrics: "http://" + addr[5] + "/metrics",
	}
	// The programs give some events a fixed time, which is not to become too old.
	cmd := exec.Command(program, "dev", "--data-dir="+filepath.Join(dir, "data"), "--projects-file="+projects,
		"--http-addr="+addr[0], "--clickhouse-http-addr="+addr[1], "--clickhouse-addr="+addr[2], "--kafka-addr="+addr[3],
		"--admin-addr="+addr[4], "--consumer-admin-addr="+addr[5], "--max-event-age=36500d",
		"--flush-age=50ms", "--inserts-per-second=1000")
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

// key is the key of a client's project: letters and digits, as all stock clients accept.
func key(client string) string {
	sum := sha256.Sum256([]byte(client))
	return hex.EncodeToString(sum[:16])
}

func projectsFile(clients []stock) string {
	var b strings.Builder
	b.WriteString("projects:\n")
	for _, client := range clients {
		sum := sha256.Sum256([]byte(key(client.name)))
		fmt.Fprintf(&b, "  - id: %s\n    keys: [{name: client, sha256: %x}]\n", client.name, sum)
	}
	return b.String()
}

// settle waits until everything that the gateway accepted is in a row or is a dead letter, of which there is none.
func (d *dev) settle(t *testing.T) {
	t.Helper()
	var accepted, inserted, dead float64
	done := func() bool {
		accepted = d.figure(t, d.gatewayMetrics, "sluice_gateway_events_accepted_total")
		inserted = d.figure(t, d.consumerMetrics, "sluice_consumer_rows_inserted_total")
		dead = d.figure(t, d.consumerMetrics, "sluice_consumer_dead_letters_total")
		return inserted+dead >= accepted
	}
	if !assert.Eventually(t, done, time.Minute, 20*time.Millisecond) {
		t.Fatalf("%v events were accepted, %v became rows and %v dead letters:\n%s", accepted, inserted, dead, d.log)
	}
	require.Zero(t, dead, "dead letters:\n%s", d.log)
}

// figure is the sum of a metric over its labels.
func (d *dev) figure(t *testing.T, url, name string) (sum float64) {
	t.Helper()
	text := get(t, url)
	for _, m := range regexp.MustCompile(`(?m)^`+name+`(?:\{.*\})? (\S+)$`).FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(m[1], 64)
		require.NoError(t, err)
		sum += v
	}
	return sum
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, string(text))
	return string(text)
}

// query asks ClickHouse and returns its lines.
func (d *dev) query(t *testing.T, query string) []string {
	t.Helper()
	res, err := http.Post(d.clickhouse+"/", "text/plain", strings.NewReader(query))
	require.NoError(t, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, string(text))
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

// freeAddrs returns addresses that nobody listens on.
func freeAddrs(t *testing.T, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close() //nolint:errcheck // all at the end, so that they differ
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
