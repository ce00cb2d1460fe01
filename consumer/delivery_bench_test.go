package consumer

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/kafkaconn"
)

// BenchmarkDelivery is rows a second from topic to table, recorded ranges on, with what the engine could take at most beside it:
// the same rows from prepared blocks.
func BenchmarkDelivery(b *testing.B) {
	for _, size := range []int{200, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const partitions = 12
			rows := 100_000_000 / size
			d := benchDatabase(b)
			conn := filled(b, partitions, rows, size)
			b.ResetTimer()
			for b.Loop() {
				deliver(b, d, conn, rows)
			}
			b.StopTimer()
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()*float64(b.N), "rows/s")
			b.ReportMetric(prepared(b, d, rows, size), "prepared-rows/s")
		})
	}
}

func benchDatabase(b *testing.B) *database {
	b.Helper()
	engine.once.Do(startEngine)
	if engine.err != nil {
		b.Fatal(engine.err)
	}
	d := &database{name: fmt.Sprintf("bench_%d", databases.Add(1))}
	if err := NewMigrator(d.native(), io.Discard).Apply(b.Context()); err != nil {
		b.Fatal(err)
	}
	return d
}

// benchEvent is an event as an SDK sends it, of about so many bytes.
func benchEvent(n, size int) record {
	value := fmt.Sprintf(`{"message":"request %d failed: timeout after %d ms","level":"error","environment":"prod","release":"1.4.%d","tags":{"region":"eu-%d"},"user":{"id":"%d"},"trace_id":%q`,
		n, n%977, n%7, n%3, n%5000, hex.EncodeToString(noise(byte(n), 8)))
	if fill := size - len(value) - 12; fill > 0 {
		value += `,"extra":"` + strings.Repeat(fmt.Sprintf("%d lorem ipsum ", n), fill/14+1)[:fill] + `"`
	}
	return fromGateway(int64(n), "demo", idV7(time.Now(), uint64(n)), time.Now(), value+"}") //nolint:gosec // not negative
}

func filled(b *testing.B, partitions, rows, size int) kafkaconn.Config {
	b.Helper()
	broker := newBroker(b, partitions)
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.SnappyCompression()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for n := range rows {
		r := benchEvent(n, size)
		out := &kgo.Record{Topic: "events", Partition: int32(n % partitions), Value: r.value} //nolint:gosec // small
		for _, h := range r.headers {
			out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		client.Produce(b.Context(), out, nil)
	}
	if err := client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return broker.conn
}

// deliver runs a consumer until all rows are in.
func deliver(b *testing.B, d *database, conn kafkaconn.Config, rows int) {
	b.Helper()
	cfg := goodConfig()
	cfg.Store, cfg.Group = d.native(), fmt.Sprintf("bench-%d", databases.Add(1))
	c, err := New(cfg, Deps{Kafka: conn, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), DrainTimeout: 20 * time.Second})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for int(testutil.ToFloat64(c.metrics.rows)) < rows {
		<-tick.C
	}
	b.StopTimer()
	n, sum := sampled(b, c.metrics.batchRows)
	b.ReportMetric(sum/float64(n), "rows/insert")
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	b.StartTimer()
}

func sampled(b *testing.B, h prometheus.Histogram) (uint64, float64) {
	b.Helper()
	var m dto.Metric
	if err := h.Write(&m); err != nil {
		b.Fatal(err)
	}
	return m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()
}

// prepared inserts as many rows from blocks that are ready, four at a time.
func prepared(b *testing.B, d *database, rows, size int) float64 {
	b.Helper()
	const each = 50_000
	whole := newBlock()
	p := newProcessor()
	for n := range each {
		r := benchEvent(n, size)
		if err := p.process(&r, whole); err != nil {
			b.Fatal(err)
		}
	}
	pool := newPool(d.http(), slog.New(slog.DiscardHandler))
	defer pool.close()
	start := time.Now()
	done := make(chan error, connections)
	for worker := range connections {
		go func() {
			var err error
			for i := worker; i < rows/each && err == nil; i += connections {
				err = pool.insert(b.Context(), whole, fmt.Sprintf("prepared-%d-%d", size, i))
			}
			done <- err
		}()
	}
	for range connections {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	return float64(rows/each*each) / time.Since(start).Seconds()
}
