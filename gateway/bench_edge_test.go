//go:build unix

package gateway

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/kafka"
	"sluice/gateway/publish"
	"sluice/internal/embedded"
	"sluice/internal/event"
	"sluice/internal/kafkaconn"
	"sluice/internal/process"
	"sluice/internal/recordbatch/batchtest"
	"sluice/internal/settings"
	"sluice/internal/topics"
)

var (
	edgeSeconds = flag.Float64("edge.seconds", 3, "how long each measurement of BenchmarkEdge lasts")
	edgePairs   = flag.Int("edge.pairs", 5, "how many pairs BenchmarkEdge measures of each row")
)

// BenchmarkEdge measures the gateway beside its ceilings in one run. Each row measures the two in turn, several
// times, and reports the median of the ratios. Broker, gateway and client share the machine.
//
//	go test ./gateway -run '^$' -bench Edge -benchtime 1x -args -edge.seconds 3 -edge.pairs 5
//
// Set SLUICE_TEST_KAFKA=host:port to measure on that broker instead of the embedded one.
func BenchmarkEdge(b *testing.B) {
	e := newEdge(b)
	// The program does the same.
	if err := process.Frugal(b.Context(), func(context.Context) error {
		b.Run("writer", e.writer)
		b.Run("single", e.single)
		b.Run("latency", e.latency) // before the bulks, whose gigabytes the system is still writing to disk afterwards
		b.Run("bulk", e.bulk)
		b.Run("gzip", e.gzip)
		b.Run("sentry", e.sentry)
		b.Run("otlp", e.otlp)
		return nil
	}); err != nil {
		b.Error(err)
	}
}

// benchCompression is the default of --kafka-compression.
const benchCompression = "snappy"

// edge holds what all rows use.
type edge struct {
	kafka   kafkaconn.Config
	gateway string // host:port
	empty   string // host:port of the same server with an empty handler
}

func newEdge(b *testing.B) *edge {
	b.Helper()
	log := slog.New(slog.DiscardHandler)
	e := &edge{kafka: kafkaconn.Config{Topic: "bench", DeadTopic: "bench.dead"}}
	if addr := os.Getenv("SLUICE_TEST_KAFKA"); addr != "" {
		e.kafka.Brokers = []string{addr}
		e.kafka.Topic = fmt.Sprintf("bench-%d", time.Now().UnixNano())
	} else {
		broker := embedded.NewBroker(embedded.BrokerConfig{Addr: "127.0.0.1:0", DataDir: b.TempDir(), Logger: log})
		background(b, broker.Run)
		<-broker.Ready()
		e.kafka.Brokers = []string{broker.Addr()}
	}
	makeTopic(b, e.kafka, 12)

	cfg := Config{
		HTTPAddr: "127.0.0.1:0", RequestTimeout: 10 * time.Second, HTTPIdleTimeout: time.Minute,
		MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10, MaxInflightBytes: 256 << 20, PartitionBy: "none",
		KafkaCompression: benchCompression,
	}
	projects := projectsIn(b, limited(100_000_000, "1s"))
	g, err := New(cfg, Deps{Kafka: e.kafka, Metrics: prometheus.NewRegistry(), Log: log, DrainTimeout: 10 * time.Second, Projects: projects})
	if err != nil {
		b.Fatal(err)
	}
	l, err := g.Listen()
	if err != nil {
		b.Fatal(err)
	}
	background(b, func(ctx context.Context) error { return g.Run(ctx, l) })
	e.gateway = l.Addr().String()
	for g.publisher.Partitions() == 0 {
		sleep(context.Background(), time.Millisecond)
	}

	empty, err := New(cfg, Deps{Kafka: e.kafka, Metrics: prometheus.NewRegistry(), Log: log, Projects: projects})
	if err != nil {
		b.Fatal(err)
	}
	app := fiber.New(empty.server.app.Config())
	answer := []byte(`{"status":"accepted","event_id":"0193b3c4-5d6e-4a7b-8c9d-0e1f2a3b4c5d"}`)
	app.Post(pathEvents, func(c *fiber.Ctx) error {
		c.Status(fiber.StatusAccepted).Context().SetContentType("application/json")
		return c.Send(answer)
	})
	el, err := empty.Listen()
	if err != nil {
		b.Fatal(err)
	}
	background(b, func(ctx context.Context) error {
		stop := context.AfterFunc(ctx, func() { _ = app.Shutdown() })
		defer stop()
		return app.Listener(el)
	})
	e.empty = el.Addr().String()
	return e
}

// background runs a function until the benchmark ends.
func background(b testing.TB, run func(context.Context) error) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
}

// event200 returns an event of 200 bytes. Its message has random words, so that batches compress as real ones do.
func event200(n int) string {
	const frame = `{"event_id":"0193b3c4-5d6e-7a7b-8c9d-%012d","level":"error","environment":"prod","release":"shop@1.4.2","tags":{"region":"eu"},"message":"%s"}`
	words := strings.Fields("timeout payment refused upstream cart session token expired connection reset retry queue worker parse index null order user")
	rnd := rand.New(rand.NewPCG(uint64(n), 7))
	var message strings.Builder
	for message.Len() < 200 {
		fmt.Fprintf(&message, "%s %d ", words[rnd.IntN(len(words))], rnd.IntN(10_000))
	}
	return fmt.Sprintf(frame, n, message.String()[:200-len(frame)+len("%012d%s")-12])
}

// requestsOf returns n requests, each with an event of its own.
func requestsOf(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = httpRequest(pathEvents, event200(i), "")
	}
	return out
}

// bulkOf returns a bulk of n events of 200 bytes.
func bulkOf(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = event200(i)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// pairs measures a and b in turn, and reports the medians and the median ratio.
func pairs(b *testing.B, throughput bool, name, unitA, unitB string, measureA, measureB func(time.Duration) float64) {
	b.Helper()
	d := time.Duration(*edgeSeconds * float64(time.Second))
	measureA(d / 3) // warm
	measureB(d / 3)
	var as, bs, ratios, cpuRatios []float64
	for range *edgePairs {
		start := cpuTime()
		x := measureA(d)
		between := cpuTime()
		y := measureB(d)
		end := cpuTime()
		as, bs, ratios = append(as, x), append(bs, y), append(ratios, x/y)
		// Rates over processor time, client and broker included: on a machine that does other work too they say more.
		cpuRatios = append(cpuRatios, x/y*float64(end-between)/float64(between-start))
	}
	b.ReportMetric(median(as), unitA)
	b.ReportMetric(median(bs), unitB)
	b.ReportMetric(median(ratios), name)
	if throughput {
		b.ReportMetric(median(cpuRatios), "cpu_ratio")
	}
	b.ReportMetric(0, "ns/op")
}

func (e *edge) single(b *testing.B) {
	requests := requestsOf(1000)
	pairs(b, true, "ratio", "durable_202/s", "empty_202/s",
		func(d time.Duration) float64 {
			return hammer{addr: e.gateway, connections: 256, requests: requests}.run(b, d).rate()
		},
		func(d time.Duration) float64 {
			return hammer{addr: e.empty, connections: 256, requests: requests}.run(b, d).rate()
		})
}

const bulkConnections = 8

func (e *edge) bulkRate(b *testing.B, request []byte, d time.Duration) float64 {
	return 1000 * hammer{addr: e.gateway, connections: bulkConnections, requests: [][]byte{request}}.run(b, d).rate()
}

func (e *edge) bulk(b *testing.B) {
	request := httpRequest(pathBulk, bulkOf(1000), "")
	pairs(b, true, "ratio", "events/s", "publisher_alone/s",
		func(d time.Duration) float64 { return e.bulkRate(b, request, d) },
		func(d time.Duration) float64 { return e.publisherAlone(b, d) })
}

// publisherAlone publishes prepared records, without HTTP and JSON.
func (e *edge) publisherAlone(b *testing.B, d time.Duration) float64 {
	b.Helper()
	pub, stop := e.publisher(b)
	defer stop()
	records := make([]batchtest.Record, 1000)
	for i := range records {
		id := event.NewID()
		records[i] = batchtest.Record{Value: []byte(event200(i)), Headers: event.Envelope{Project: "demo", ID: id, ReceivedAt: time.Now()}.Headers()}
	}
	prepared := prepare(records)
	var all sync.WaitGroup
	var mu sync.Mutex
	total := 0
	start := time.Now()
	for range bulkConnections {
		all.Go(func() {
			mine := 0
			for time.Since(start) < d {
				if err := prepared.publish(pub); err != nil {
					b.Error(err)
					return
				}
				mine += len(records)
			}
			mu.Lock()
			total += mine
			mu.Unlock()
		})
	}
	all.Wait()
	return float64(total) / time.Since(start).Seconds()
}

func (e *edge) gzip(b *testing.B) {
	plain := httpRequest(pathBulk, bulkOf(1000), "")
	packed := httpRequest(pathBulk, gzipped(b, bulkOf(1000)), "Content-Encoding: gzip\r\n")
	pairs(b, true, "ratio", "gzip_events/s", "plain_events/s",
		func(d time.Duration) float64 { return e.bulkRate(b, packed, d) },
		func(d time.Duration) float64 { return e.bulkRate(b, plain, d) })
}

// latency compares the p99 of single events at half the saturation rate with the p99 of the broker's own round trip
// at the same rate of batches.
func (e *edge) latency(b *testing.B) {
	requests := requestsOf(1000)
	d := time.Duration(*edgeSeconds * float64(time.Second))
	saturation := hammer{addr: e.gateway, connections: 256, requests: requests}.run(b, d).rate()
	const connections = 64
	every := time.Duration(float64(connections) / (saturation / 2) * float64(time.Second))
	pub, stop := e.publisher(b)
	defer stop()
	pairs(b, false, "ratio", "edge_p99_ms", "broker_p99_ms",
		func(d time.Duration) float64 {
			return float64(hammer{addr: e.gateway, connections: connections, requests: requests, every: every}.run(b, d).p99()) / 1e6
		},
		func(d time.Duration) float64 { return float64(e.roundTrips(b, pub, d, connections, every).p99()) / 1e6 })
	b.ReportMetric(saturation/2, "events/s")
}

// roundTrips publishes single records on the same schedule, without HTTP.
func (e *edge) roundTrips(b *testing.B, pub *publish.Publisher, d time.Duration, senders int, every time.Duration) measured {
	b.Helper()
	record := prepare([]batchtest.Record{{Value: []byte(event200(1)), Headers: event.Envelope{Project: "demo", ID: event.NewID(), ReceivedAt: time.Now()}.Headers()}})
	var mu sync.Mutex
	var total measured
	var all sync.WaitGroup
	start := time.Now()
	for i := range senders {
		all.Go(func() {
			var mine []time.Duration
			due := start.Add(every * time.Duration(i) / time.Duration(senders))
			for time.Since(start) < d {
				sleep(context.Background(), time.Until(due))
				if err := record.publish(pub); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, time.Since(due))
				due = due.Add(every)
			}
			mu.Lock()
			total.latencies = append(total.latencies, mine...)
			mu.Unlock()
		})
	}
	all.Wait()
	return total
}

// prepared holds encoded records that may go to any partition.
type prepared struct {
	run   []byte
	count int
}

func prepare(records []batchtest.Record) prepared {
	return prepared{batchtest.Run(records...), len(records)}
}

// publish publishes the records as one request, and waits for the acknowledgement.
func (p prepared) publish(pub *publish.Publisher) error {
	r := pub.NewRequest()
	defer r.Release()
	r.AddRun(-1, p.run, p.count)
	pub.Publish(r, time.Now().Add(10*time.Second))
	return r.Err()
}

// publisher returns a second publisher to the same broker.
func (e *edge) publisher(b *testing.B) (pub *publish.Publisher, stop func()) {
	b.Helper()
	producer, err := kafka.New(kafka.Config{Conn: e.kafka, Timeout: publish.AttemptTimeout})
	if err != nil {
		b.Fatal(err)
	}
	pub, err = publish.New(producer, publish.Config{MaxInflightBytes: 256 << 20, Compression: benchCompression})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); pub.Run(ctx) }()
	for pub.Partitions() == 0 {
		sleep(ctx, time.Millisecond)
	}
	return pub, func() { cancel(); <-done; producer.Close() }
}

func makeTopic(b *testing.B, conn kafkaconn.Config, partitions int) {
	b.Helper()
	admin, closeAdmin, err := topics.New(conn, topics.Config{
		Partitions: partitions, Replication: 1, MinISR: 1, Retention: settings.Duration(24 * time.Hour),
	}, io.Discard)
	if err != nil {
		b.Fatal(err)
	}
	defer closeAdmin()
	if err := admin.Create(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// cpuTime returns the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
