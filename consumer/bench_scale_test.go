package consumer

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/internal/kafkaconn"
)

var (
	scalePartitions = flag.String("scale.partitions", "12,96,384", "how many partitions the topics of BenchmarkScale have")
	scaleRows       = flag.Int("scale.rows", 400_000, "events that BenchmarkScale catches up on")
	scaleSeconds    = flag.Int("scale.seconds", 20, "for how long BenchmarkScale measures how fresh events are")
	scaleProfiles   = flag.String("scale.profiles", "", "directory for profiles of BenchmarkScale: CPU while it catches up and while 2,000 events a second come, goroutines, heap")
	scaleAlone      = flag.Bool("scale.alone", false, "each partition inserts on its own")
)

// BenchmarkScale measures one consumer with more and more partitions: the time to catch up on the same number of
// events, how fresh 2,000 events a second are on the way, and what it costs. Broker, engine and consumer share the
// machine and, but for the engine, the process.
//
//	go test ./consumer -run '^$' -bench Scale -benchtime 1x -args -scale.partitions 12,96,384
func BenchmarkScale(b *testing.B) {
	brokers := benchBroker(b)
	for _, text := range strings.Split(*scalePartitions, ",") {
		partitions, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) { scale(b, brokers, partitions) })
	}
}

func scale(b *testing.B, brokers string, partitions int) {
	b.Helper()
	clickhousetest.Engine(b)
	topic := fmt.Sprintf("scale-%d-%d", partitions, time.Now().UnixNano())
	conn := kafkaconn.Config{Brokers: []string{brokers}, Topic: topic, DeadTopic: topic + ".dead"}
	c := &consumerBench{conn: conn, rows: *scaleRows, size: 200}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1900<<10), kgo.MaxBufferedRecords(200_000), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	makeBenchTopic(b, client, topic, int32(partitions))
	makeBenchTopic(b, client, topic+".dead", 1)
	write := func(n int, received time.Time) {
		r := benchRecord(n, c.size)
		out := &kgo.Record{Value: r.Value, Partition: int32(n % partitions)}
		for _, h := range r.Headers {
			value := h.Value
			if h.Key == "received-at" && !received.IsZero() {
				value = strconv.AppendInt(nil, received.UnixMilli(), 10)
			}
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: value})
		}
		client.Produce(b.Context(), out, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	for n := range c.rows {
		write(n, time.Time{})
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	name, store := c.place(b)
	defer c.drop(b, name)
	cfg := c.config(name, store)
	if *scaleAlone {
		cfg.BlockPartitions = 1
	}
	member, err := New(cfg, Deps{
		Kafka: c.conn, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), DrainTimeout: 20 * time.Second,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	profiled := profileScale(b, partitions, "catch-up")
	began := time.Now()
	go func() { done <- member.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}()
	count := func() int {
		n, err := strconv.Atoi(c.ask(b, name, "SELECT count() FROM events_raw"))
		if err != nil {
			b.Fatal(err)
		}
		return n
	}
	for count() < c.rows {
		if time.Since(began) > 5*time.Minute {
			b.Fatalf("%d of %d rows", count(), c.rows)
		}
		<-time.After(20 * time.Millisecond)
	}
	b.ReportMetric(time.Since(began).Seconds(), "s_to_catch_up")
	profiled()
	profiled = profileScale(b, partitions, "steady")

	before, n := inserts(b, member), c.rows
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began = time.Now()
	for time.Since(began) < time.Duration(*scaleSeconds)*time.Second {
		<-tick.C
		for due := c.rows + int(time.Since(began).Seconds()*2000); n < due; n++ {
			write(n, time.Now())
		}
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	for wait := time.Now(); count() < n; {
		if time.Since(wait) > 2*time.Minute {
			b.Fatalf("%d of %d rows", count(), n)
		}
		<-time.After(20 * time.Millisecond)
	}
	took := time.Since(began).Seconds()
	profiled()
	quantiles := strings.Split(strings.Trim(c.ask(b, name, fmt.Sprintf("SELECT quantiles(0.5, 0.99, 1)"+
		"(toUnixTimestamp64Milli(inserted_at) - toUnixTimestamp64Milli(received_at)) FROM events_raw "+
		"WHERE received_at > toDateTime64(%d, 3)", began.Unix())), "[]\n"), ",")
	for i, name := range []string{"ms_fresh_p50", "ms_fresh_p99", "ms_fresh_most"} {
		v, err := strconv.ParseFloat(quantiles[i], 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(v, name)
	}
	b.ReportMetric(float64(inserts(b, member)-before)/took, "inserts/s")
	parts, err := strconv.Atoi(c.ask(b, name, "SELECT count() FROM system.parts "+
		"WHERE active AND database = currentDatabase() AND table = 'events_raw'"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(parts), "parts")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		if _, rest, ok := strings.Cut(string(status), "VmRSS:"); ok {
			var kib float64
			if _, err := fmt.Sscan(rest, &kib); err == nil {
				b.ReportMetric(kib/1024, "MiB_RSS")
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	if c.ask(b, name, "SELECT count() = uniqExact(_partition, _offset) FROM events_raw") != "1" {
		b.Error("an offset is there twice")
	}
}

// profileScale writes a CPU profile until the function that it returns is called, and the goroutines then.
func profileScale(b *testing.B, partitions int, phase string) (end func()) {
	b.Helper()
	if *scaleProfiles == "" {
		return func() {}
	}
	name := fmt.Sprintf("%s/%d-%s", *scaleProfiles, partitions, phase)
	cpu, err := os.Create(name + ".cpu")
	if err != nil {
		b.Fatal(err)
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		b.Fatal(err)
	}
	return func() {
		pprof.StopCPUProfile()
		if err := cpu.Close(); err != nil {
			b.Error(err)
		}
		for _, kind := range []string{"goroutine", "heap"} {
			out, err := os.Create(name + "." + kind)
			if err != nil {
				b.Fatal(err)
			}
			if err := errors.Join(pprof.Lookup(kind).WriteTo(out, 0), out.Close()); err != nil {
				b.Error(err)
			}
		}
	}
}

func inserts(b *testing.B, c *Consumer) uint64 {
	b.Helper()
	return observations(b, c.metrics.batchRows)
}
