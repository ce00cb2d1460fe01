//go:build linux

package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/embedded"
	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
	"sluice/internal/topics"
)

var (
	crowd        = flag.Bool("crowd", false, "run TestCrowd")
	crowdIdle    = flag.Int("crowd.idle", 10_000, "idle keep-alive connections")
	crowdSlow    = flag.Int("crowd.slow", 200, "connections that send a byte of a body every few seconds")
	crowdSeconds = flag.Int("crowd.seconds", 20, "how long each measurement lasts")
	crowdCookie  = flag.Int("crowd.cookie", 0, "bytes of cookies that the idle connections sent with their event")
	crowdMemory  = flag.Int("crowd.mib", 256, "most memory (RSS) the gateway may have, in MiB")
)

// crowdKey is the key in goodProjects.
const crowdKey = "dev-key"

// TestCrowd starts the built gateway over the embedded broker. It measures the gateway's memory and a good client's
// latency: alone, then beside many idle connections, then beside slow senders as well.
//
//	go test ./cmd/gateway -run TestCrowd -v -crowd
func TestCrowd(t *testing.T) {
	if !*crowd {
		t.Skip("takes a minute and measures: add -crowd")
	}
	g := startGateway(t)
	measure := func(what string) time.Duration {
		p50, p99 := g.goodClient(t, time.Duration(*crowdSeconds)*time.Second)
		t.Logf("%-40s p50 %-10s p99 %-10s RSS %d MiB", what, p50, p99, g.rss(t)>>20)
		return p99
	}
	measure("warming up")
	alone := measure("alone")
	var idle []net.Conn
	for range *crowdIdle {
		idle = append(idle, g.dial(t))
	}
	var all sync.WaitGroup
	for part := range slices.Chunk(idle, 1000) {
		all.Go(func() {
			for _, conn := range part { // each has sent an event, because an unused connection takes less memory
				if err := exchange(conn, crowdRequest("Cookie: "+strings.Repeat("c", *crowdCookie)+"\r\n")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	measure(fmt.Sprintf("with %d idle connections", len(idle)))
	ctx, stop := context.WithCancel(t.Context())
	defer all.Wait()
	defer stop()
	for i := range *crowdSlow {
		all.Go(func() { g.slowSender(ctx, i) })
	}
	with := measure(fmt.Sprintf("and %d slow senders", *crowdSlow))
	if most := *crowdMemory << 20; g.rss(t) > most {
		t.Errorf("RSS is over %d MiB", *crowdMemory)
	}
	if with > 2*alone {
		t.Errorf("the good client's p99 went from %s to %s", alone, with)
	}
	for _, conn := range idle { // the gateway served them the whole time
		if err := exchange(conn, crowdRequest("")); err != nil {
			t.Fatalf("an idle connection: %v", err)
		}
		_ = conn.Close()
	}
}

// child is the gateway as a process of its own.
type child struct {
	addr string
	pid  int
}

func startGateway(t *testing.T) *child {
	t.Helper()
	broker := embedded.NewBroker(embedded.BrokerConfig{Addr: "127.0.0.1:0", DataDir: t.TempDir()})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- broker.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	<-broker.Ready()
	kafka := kafkaconn.Config{Brokers: []string{broker.Addr()}, Topic: "events", DeadTopic: "events.dead"}
	admin, closeAdmin, err := topics.New(kafka, topics.Config{Partitions: 12, Replication: 1, MinISR: 1, Retention: settings.Duration(time.Hour)}, io.Discard)
	require.NoError(t, err)
	defer closeAdmin()
	require.NoError(t, admin.Create(t.Context()))

	binary := filepath.Join(t.TempDir(), "gateway")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	cmd := exec.CommandContext(t.Context(), binary, "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--drain-delay=0s", "--log-format=text",
		"--kafka-brokers="+broker.Addr(), projectsFile(t, strings.Replace(goodProjects, "id: demo,", "id: demo, limit: {unlimited: true},", 1)))
	cmd.Env = []string{}
	logged, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	serves := regexp.MustCompile(`gateway serves.* addr=(\S+)`)
	g := &child{pid: cmd.Process.Pid}
	lines := bufio.NewScanner(logged)
	for found := false; lines.Scan(); {
		if m := serves.FindStringSubmatch(lines.Text()); m != nil {
			g.addr, found = m[1], true
		}
		if found && strings.Contains(lines.Text(), "topic found") {
			break
		}
	}
	require.NotEmpty(t, g.addr, "the gateway did not start")
	go func() { _, _ = io.Copy(os.Stderr, logged) }()
	return g
}

func (g *child) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", g.addr)
	require.NoError(t, err, "does the limit of open files (ulimit -n) allow so many connections?")
	return conn
}

// rss returns the resident memory of the process, in bytes.
func (g *child) rss(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	require.NoError(t, err)
	return kib << 10
}

func crowdRequest(headers string) string {
	const body = `{"message":"a good client","level":"info","environment":"prod","tags":{"region":"eu"}}`
	return fmt.Sprintf("POST /api/v1/events HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\n%sContent-Length: %d\r\n\r\n%s", crowdKey, headers, len(body), body)
}

func exchange(conn net.Conn, request string) error {
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// goodClient sends an event every few milliseconds over one connection.
func (g *child) goodClient(t *testing.T, d time.Duration) (p50, p99 time.Duration) {
	t.Helper()
	conn := g.dial(t)
	defer conn.Close()
	var took []time.Duration
	tick := time.NewTicker(4 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
		start := time.Now()
		require.NoError(t, exchange(conn, crowdRequest("")))
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2].Round(time.Microsecond), took[len(took)*99/100].Round(time.Microsecond)
}

// slowSender starts one large body after another, and sends a byte of each every three seconds.
func (g *child) slowSender(ctx context.Context, i int) {
	for ctx.Err() == nil {
		conn, err := net.Dial("tcp", g.addr)
		if err != nil {
			return
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
		begun := strings.Repeat(" ", 1<<10*(i%64)) // up to 64 KiB at once
		_, err = fmt.Fprintf(conn, "POST /api/v1/events/bulk HTTP/1.1\r\nHost: a\r\nX-Api-Key: %s\r\nContent-Length: 5242880\r\n\r\n%s", crowdKey, begun)
		tick := time.NewTicker(3 * time.Second)
		for err == nil {
			<-tick.C
			_, err = conn.Write([]byte(" "))
		}
		tick.Stop()
		stop()
		_ = conn.Close()
	}
}
