//go:build unix

package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
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

	"sluice/internal/embedded"
	"sluice/internal/kafkaconn"
)

// BenchmarkProjects measures the cost of ten to a million projects, with the gateway in its own process: how long a
// change takes to be in force; the memory before the change, at its peak and after; and the p99 of requests before
// and during the change.
//
//	go test ./gateway -run '^$' -bench Projects -benchtime 1x
func BenchmarkProjects(b *testing.B) {
	binary := buildGateway(b)
	broker := embedded.NewBroker(embedded.BrokerConfig{
		Addr: "127.0.0.1:0", DataDir: b.TempDir(), Logger: slog.New(slog.DiscardHandler),
	})
	background(b, broker.Run)
	<-broker.Ready()
	makeTopic(b, kafkaconn.Config{Brokers: []string{broker.Addr()}, Topic: "events", DeadTopic: "events.dead"}, 12)
	ten := 0.0
	for _, size := range []struct {
		projects int
		name     string
	}{
		{10, "projects.yaml"},
		{10_000, "projects.yaml"},
		{100_000, "projects.yaml"},
		{100_000, "projects.jsonl"},
		{1_000_000, "projects.jsonl"},
	} {
		format := strings.TrimPrefix(filepath.Ext(size.name), ".")
		b.Run(fmt.Sprintf("%s/%d", format, size.projects), func(b *testing.B) {
			for range b.N {
				got := measureProjects(b, binary, broker.Addr(), filepath.Join(b.TempDir(), size.name), size.projects)
				if size.projects == 10 {
					ten = got.after
				}
				b.ReportMetric(got.inForce.Seconds(), "s-until-in-force")
				b.ReportMetric(got.start.Seconds(), "s-start")
				b.ReportMetric(got.before, "MiB-before")
				b.ReportMetric(got.highest, "MiB-highest")
				b.ReportMetric(got.after, "MiB-after")
				b.ReportMetric(max(0, got.highest-ten), "MiB-over-ten")
				b.ReportMetric(float64(got.calm.Microseconds())/1e3, "ms-p99-before")
				b.ReportMetric(float64(got.during.Microseconds())/1e3, "ms-p99-during")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// projectsCost is the cost of one size. Memory is in MiB.
type projectsCost struct {
	start, inForce         time.Duration
	before, highest, after float64
	calm, during           time.Duration
}

// manyProjects writes a file of n projects beside path. The last project has the given key, and the first testKey.
func manyProjects(b *testing.B, path string, n int, lastKey string) {
	b.Helper()
	f, err := os.Create(path + ".next")
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	jsonLines := filepath.Ext(path) == ".jsonl"
	if !jsonLines {
		fmt.Fprintln(w, "projects:")
	}
	for i := range n {
		key, limit := sha256.Sum256([]byte(keyOfProject(i))), "events: 60000"
		switch i {
		case 0:
			key, limit = sha256.Sum256([]byte(testKey)), "events: 100000000"
		case n - 1:
			key = sha256.Sum256([]byte(lastKey))
		}
		if jsonLines {
			keys := fmt.Sprintf(`[{"name":"web","sha256":"%x"}]`, key)
			limit = strings.Replace(limit, ":", `":`, 1)
			fmt.Fprintf(w, `{"id":"project-%d","keys":%s,"limit":{"%s,"window":"60s"}}`+"\n", i, keys, limit)
		} else {
			fmt.Fprintf(w, "  - id: \"project-%d\"\n    keys:\n      - {name: web, sha256: \"%x\"}\n", i, key)
			fmt.Fprintf(w, "    limit: {%s, window: 60s}\n", limit)
		}
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
}

// keyOfProject returns the key of the i-th project of manyProjects, but for the first and the last.
func keyOfProject(i int) string { return fmt.Sprintf("key-%d", i) }

// intoPlace moves the file of manyProjects into place.
func intoPlace(b *testing.B, path string) {
	b.Helper()
	if err := os.Rename(path+".next", path); err != nil {
		b.Fatal(err)
	}
}

func measureProjects(b *testing.B, binary, kafka, path string, n int) (cost projectsCost) {
	b.Helper()
	manyProjects(b, path, n, "first last key")
	intoPlace(b, path)
	start := time.Now()
	addr, pid := startGateway(b, binary, "--kafka-brokers="+kafka, "--projects-file="+path)
	cost.start = time.Since(start)

	load := steady{addr: addr, connections: 16, every: 20 * time.Millisecond, request: requestsOf(1)[0]}
	load.run(b, func() { sleep(context.Background(), 2*time.Second) }) // warm
	cost.calm = load.run(b, func() { sleep(context.Background(), 5*time.Second) })
	cost.before = memoryOf(b, pid, "VmRSS")
	forgetPeak(b, pid)
	manyProjects(b, path, n, "second last key")
	cost.during = load.run(b, func() {
		intoPlace(b, path)
		changed := time.Now()
		for !passes(b, addr, "second last key") {
			sleep(context.Background(), 10*time.Millisecond)
		}
		cost.inForce = time.Since(changed)
	})
	load.run(b, func() { sleep(context.Background(), 5*time.Second) })
	cost.highest, cost.after = memoryOf(b, pid, "VmHWM"), memoryOf(b, pid, "VmRSS")
	return cost
}

var servesAt = regexp.MustCompile(`gateway serves.* addr=(\S+)`)

// buildGateway builds the gateway as it is shipped, and returns the path of the program.
func buildGateway(b *testing.B) string {
	b.Helper()
	binary := filepath.Join(b.TempDir(), "gateway")
	build := exec.CommandContext(b.Context(), "go", "build", "-o", binary, "sluice/cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%s", out)
	}
	return binary
}

// startGateway starts the gateway and returns when it takes events with testKey.
func startGateway(b *testing.B, binary string, args ...string) (addr string, pid int) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), binary, append([]string{
		"--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--drain-delay=0s", "--log-format=text",
	}, args...)...)
	cmd.Env = []string{}
	addr = startProgram(b, cmd, func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	return addr, cmd.Process.Pid
}

// passes reports whether an event with the key is answered 202.
func passes(b *testing.B, addr, key string) bool {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	request := bytes.Replace(httpRequest(pathEvents, `{"message":"x"}`, ""), []byte(testKey), []byte(key), 1)
	if _, err := conn.Write(request); err != nil {
		b.Fatal(err)
	}
	return readAccepted(bufio.NewReader(conn)) == nil
}

// memoryOf returns a memory figure of a process, in MiB.
func memoryOf(b *testing.B, pid int, figure string) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skipf("no figures of memory here: %v", err)
	}
	_, rest, _ := strings.Cut(string(text), figure+":")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kib) / 1024
}

// forgetPeak resets VmHWM.
func forgetPeak(b *testing.B, pid int) {
	b.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0); err != nil {
		b.Skipf("the peak cannot be measured here: %v", err)
	}
}

// steady sends requests on a schedule over some connections.
type steady struct {
	addr        string
	connections int
	every       time.Duration // each connection
	request     []byte
}

// run sends requests while during runs, and returns their p99. A latency counts from the scheduled moment.
func (p steady) run(b *testing.B, during func()) time.Duration {
	b.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(b.Context())
	for i := range p.connections {
		all.Go(func() {
			latencies, err := p.connection(ctx, p.every*time.Duration(i)/time.Duration(p.connections))
			mu.Lock()
			defer mu.Unlock()
			took = append(took, latencies...)
			if err != nil {
				b.Error(err)
			}
		})
	}
	during()
	stop()
	all.Wait()
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

func (p steady) connection(ctx context.Context, offset time.Duration) (took []time.Duration, err error) {
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 4<<10)
	for due := time.Now().Add(offset); ctx.Err() == nil; due = due.Add(p.every) {
		sleep(ctx, time.Until(due))
		if _, err := conn.Write(p.request); err != nil {
			return took, err
		}
		if err := readAccepted(r); err != nil {
			return took, err
		}
		took = append(took, time.Since(due))
	}
	return took, nil
}

// startProgram starts a gateway that knows testKey, and returns where it serves. stop ends it with the benchmark.
func startProgram(b *testing.B, cmd *exec.Cmd, stop func()) (addr string) {
	b.Helper()
	logged, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(stop)
	lines := bufio.NewScanner(logged)
	for addr == "" && lines.Scan() {
		if m := servesAt.FindStringSubmatch(lines.Text()); m != nil {
			addr = m[1]
		} else if strings.Contains(lines.Text(), "error") {
			b.Fatal(lines.Text())
		}
	}
	go io.Copy(io.Discard, logged)
	for !passes(b, addr, testKey) {
		sleep(context.Background(), time.Millisecond)
	}
	return addr
}
