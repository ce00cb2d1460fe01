//go:build unix

package gateway

import (
	"bufio"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/gateway/kafka/kafkatest"
)

var (
	wideSeconds     = flag.Float64("wide.seconds", 8, "how long each measurement of BenchmarkWide lasts")
	wideRounds      = flag.Int("wide.rounds", 1, "how often BenchmarkWide measures each of its two clusters, in turn")
	wideProjects    = flag.Int("wide.projects", 1_000_000, "projects in the file of BenchmarkWide")
	wideConnections = flag.Int("wide.connections", 10_000, "open connections of BenchmarkWide")
	wideLate        = flag.Duration("wide.late", 2*time.Millisecond, "by how much later the brokers of BenchmarkWide answer, as brokers with replicas do")
	widePartitionBy = flag.String("wide.partition-by", "none", "--partition-by of the gateway of BenchmarkWide")
	wideRates       = flag.String("wide.rates", "2000,10000,0", "single events a second of BenchmarkWide; 0: as many as the gateway takes")
)

// wideCluster is a cluster that BenchmarkWide measures on.
type wideCluster struct{ brokers, partitions int }

func (c wideCluster) String() string { return fmt.Sprintf("%d/%d", c.partitions, c.brokers) }

// BenchmarkWide measures what reaches Kafka with 384 partitions on 30 brokers, beside 12 partitions on 3. The gateway
// is a process of its own with a million projects. Each of 10,000 connections sends single events of a project of its
// own. Batches are as full on the large cluster if ratio-records is about 1.
//
//	go test ./gateway -run '^$' -bench Wide -benchtime 1x -timeout 30m -args -wide.seconds 8 -wide.rounds 3
func BenchmarkWide(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "gateway")
	build := exec.CommandContext(b.Context(), "go", "build", "-ldflags", "-s -w", "-o", binary, "sluice/cmd/gateway")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%s", out)
	}
	projects := filepath.Join(b.TempDir(), "projects.jsonl")
	manyProjects(b, projects, *wideProjects, "the last key")
	intoPlace(b, projects)
	var rates []int
	for text := range strings.SplitSeq(*wideRates, ",") {
		rate, err := strconv.Atoi(text)
		if err != nil {
			b.Fatalf("-wide.rates: %v", err)
		}
		rates = append(rates, rate)
	}
	small, large := wideCluster{3, 12}, wideCluster{30, 384}
	seen := map[string][]float64{} // by rate, figure and cluster
	for range *wideRounds {
		for _, c := range []wideCluster{small, large} {
			for rate, figures := range measureWide(b, binary, projects, c, rates) {
				for figure, value := range figures {
					key := fmt.Sprint(rate, figure, c)
					seen[key] = append(seen[key], value)
				}
			}
		}
	}
	for _, rate := range rates {
		name := strconv.Itoa(rate)
		if rate == 0 {
			name = "most"
		}
		b.Run(name, func(b *testing.B) {
			for _, figure := range wideFigures {
				at := func(c wideCluster) float64 { return median(seen[fmt.Sprint(rate, figure, c)]) }
				b.ReportMetric(at(small), figure+"-12/3")
				b.ReportMetric(at(large), figure+"-384/30")
				if figure == "records/batch" {
					b.ReportMetric(at(large)/at(small), "ratio-records")
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// wideFigures are the figures of one rate on one cluster, in the order in which they are reported.
var wideFigures = []string{
	"events/s", "records/batch", "bytes/batch", "batches/s", "p50-ms", "p99-ms", "503s", "cpu-us/event", "conns", "goroutines",
	"MiB",
}

// measureWide returns the figures of each rate on one cluster.
func measureWide(b *testing.B, binary, projects string, c wideCluster, rates []int) map[int]map[string]float64 {
	b.Helper()
	brokers := newWideBrokers(b, c)
	addr, admin, pid, stop := startWide(b, binary, projects, brokers.site)
	defer stop()
	load := newWideLoad(b, addr, *wideConnections)
	defer load.close()
	d := time.Duration(*wideSeconds * float64(time.Second))
	out := map[int]map[string]float64{}
	load.run(b, 2000, 2*time.Second) // warm
	for _, rate := range rates {
		load.run(b, rate, d/4)
		before, cpu := brokers.counted(), cpuOf(b, pid)
		load.refused.Store(0)
		got := load.run(b, rate, d)
		after, used := brokers.counted(), cpuOf(b, pid)-cpu
		slices.Sort(got.latencies)
		ms := func(share float64) float64 {
			return got.latencies[int(share*float64(len(got.latencies)-1))].Seconds() * 1e3
		}
		batches := float64(after.batches - before.batches)
		out[rate] = map[string]float64{
			"events/s":      got.rate(),
			"records/batch": float64(after.records-before.records) / batches,
			"bytes/batch":   float64(after.bytes-before.bytes) / batches,
			"batches/s":     batches / got.seconds,
			"p50-ms":        ms(0.5),
			"p99-ms":        ms(0.99),
			"503s":          float64(load.refused.Load()),
			"cpu-us/event":  used.Seconds() * 1e6 / float64(got.requests),
			"conns":         float64(brokers.open.Load()),
			"goroutines":    gaugeOf(b, admin, "go_goroutines"),
			"MiB":           memoryOf(b, pid, "VmRSS"),
		}
		b.Logf("%s at %d/s: %v", c, rate, out[rate])
	}
	return out
}

// wideBrokers is a cluster of the embedded broker that counts what it gets.
type wideBrokers struct {
	site *kafkatest.Site
	open atomic.Int64 // connections

	mu  sync.Mutex
	got wideCount
}

type wideCount struct{ batches, records, bytes int64 }

func newWideBrokers(b *testing.B, c wideCluster) *wideBrokers {
	b.Helper()
	w := &wideBrokers{}
	w.site = kafkatest.OnFake(b, c.brokers, c.partitions, kfake.ListenFn(func(network, addr string) (net.Listener, error) {
		l, err := net.Listen(network, addr)
		return wideListener{l, w}, err
	}))
	for p := range int32(c.partitions) {
		if err := w.site.Cluster.MoveTopicPartition(w.site.Topic, p, p%int32(c.brokers)); err != nil {
			b.Fatal(err)
		}
	}
	w.site.Cluster.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.site.Cluster.KeepControl()
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, t := range r.(*kmsg.ProduceRequest).Topics {
			for _, p := range t.Partitions {
				w.got.batches++
				w.got.records += int64(binary.BigEndian.Uint32(p.Records[57:]))
				w.got.bytes += int64(len(p.Records))
			}
		}
		return nil, nil, false
	})
	return w
}

func (w *wideBrokers) counted() wideCount {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.got
}

type wideListener struct {
	net.Listener
	of *wideBrokers
}

// Accept is part of net.Listener.
func (l wideListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.of.open.Add(1)
	}
	return &wideConn{Conn: conn, of: l.of}, err
}

// wideConn is a broker's end of a connection. Its answers are late.
type wideConn struct {
	net.Conn
	of   *wideBrokers
	once sync.Once
}

// Write is part of net.Conn.
func (c *wideConn) Write(p []byte) (int, error) {
	if *wideLate > 0 {
		<-time.After(*wideLate)
	}
	return c.Conn.Write(p)
}

// Close is part of net.Conn.
func (c *wideConn) Close() error {
	c.once.Do(func() { c.of.open.Add(-1) })
	return c.Conn.Close()
}

// startWide starts the gateway on a cluster, and returns when it takes events.
func startWide(b *testing.B, binary, projects string, s *kafkatest.Site) (addr, admin string, pid int, stop func()) {
	b.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	admin = free.Addr().String()
	_ = free.Close()
	cmd := exec.CommandContext(b.Context(), binary,
		"--http-addr=127.0.0.1:0", "--admin-addr="+admin, "--drain-delay=0s", "--log-format=text",
		"--kafka-brokers="+strings.Join(s.Brokers[:3], ","), "--kafka-topic="+s.Topic, "--projects-file="+projects,
		"--partition-by="+*widePartitionBy)
	cmd.Env = []string{}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	addr = startProgram(b, cmd, stop)
	return addr, admin, cmd.Process.Pid, stop
}

// gaugeOf reads a metric without labels from an admin port.
func gaugeOf(b *testing.B, admin, name string) float64 {
	b.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // the default one knows the public port
	resp, err := client.Get("http://" + admin + "/metrics")
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		b.Fatalf("no metric %s", name)
	}
	value, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	return value
}

// wideLoad is many open connections. Each sends single events of a project of its own.
type wideLoad struct {
	conns    []net.Conn
	requests [][]byte
	refused  atomic.Int64 // requests that were answered 503
}

func newWideLoad(b *testing.B, addr string, connections int) *wideLoad {
	b.Helper()
	l := &wideLoad{}
	for i := range connections {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatalf("%v; does the limit of open files (ulimit -n) allow so many connections?", err)
		}
		l.conns = append(l.conns, conn)
		// No event has an id, so that each gets one and a key of its own.
		_, event, _ := strings.Cut(event200(i), ",")
		request := string(httpRequest(pathEvents, "{"+event, ""))
		key := keyOfProject(1 + i*max(1, (*wideProjects-2)/connections)%max(1, *wideProjects-2))
		l.requests = append(l.requests, []byte(strings.Replace(request, testKey, key, 1)))
	}
	return l
}

func (l *wideLoad) close() {
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// run sends at a rate; 0: each connection as soon as the answer before is there. A latency counts from the moment at
// which the event was due.
func (l *wideLoad) run(b *testing.B, rate int, d time.Duration) measured {
	b.Helper()
	every := time.Duration(0)
	if rate > 0 {
		every = time.Duration(len(l.conns)) * time.Second / time.Duration(rate)
	}
	var mu sync.Mutex
	var total measured
	failed, failure := 0, error(nil)
	var all sync.WaitGroup
	start := time.Now()
	for i := range l.conns {
		all.Go(func() {
			took, err := l.connection(i, start, every, d)
			mu.Lock()
			defer mu.Unlock()
			total.latencies = append(total.latencies, took...)
			if err != nil {
				failed++
				failure = err
			}
		})
	}
	all.Wait()
	if failed > 0 {
		b.Errorf("%d of %d connections failed, one of them so: %v", failed, len(l.conns), failure)
	}
	total.requests, total.seconds = len(total.latencies), time.Since(start).Seconds()
	return total
}

func (l *wideLoad) connection(i int, start time.Time, every, d time.Duration) (took []time.Duration, err error) {
	r := bufio.NewReaderSize(l.conns[i], 1<<10)
	due := start.Add(every * time.Duration(i) / time.Duration(len(l.conns)))
	if every == 0 { // ten thousand requests in one moment are more than the gateway takes
		sleep(context.Background(), d/10*time.Duration(i)/time.Duration(len(l.conns)))
	}
	for {
		from := time.Now()
		if every > 0 {
			from = due
			due = due.Add(every)
		}
		if from.Sub(start) >= d {
			return took, nil
		}
		if every > 0 {
			sleep(context.Background(), time.Until(from))
		}
		if _, err := l.conns[i].Write(l.requests[i]); err != nil {
			return took, err
		}
		if err := readAccepted(r); err != nil && strings.Contains(err.Error(), " 503 ") {
			rest, err := http.ReadResponse(bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 503 \r\n"), r)), nil)
			if err != nil {
				return took, err
			}
			_, _ = io.Copy(io.Discard, rest.Body)
			l.refused.Add(1)
			sleep(context.Background(), 200*time.Millisecond)
			continue
		} else if err != nil {
			rest, _ := r.Peek(r.Buffered())
			return took, fmt.Errorf("after %s: %w and %q", time.Since(from), err, rest)
		}
		took = append(took, time.Since(from))
	}
}
