package consumer

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/ClickHouse/ch-go/proto"
	"github.com/prometheus/client_golang/prometheus"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rowbuilder"
	"sluice/consumer/rows"
	"sluice/consumer/schema"
	"sluice/internal/backoff"
	"sluice/internal/embedded"
	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
)

var (
	consumerRows  = flag.Int("consumer.rows", 1_000_000, "events on the topic of BenchmarkConsumer")
	consumerCheap = flag.Bool("consumer.cheap", false, "measure against a Kafka engine that only fills the columns as well")
	consumerPairs = flag.Int("consumer.pairs", 5, "how many pairs BenchmarkConsumer measures of each row")
)

// BenchmarkConsumer measures the way from the topic into events_raw against ClickHouse's own Kafka engine, in the same
// ClickHouse on the same topic (testdata/kafka_engine.sql), and against inserting the same rows from blocks that were
// prepared before: in turn, several times, and the median of the ratios. Broker, engine and consumer share the machine.
// Rates are of the time between the first rows that are seen and the last one, so that joining the group is left out.
//
//	go test ./consumer -run '^$' -bench Consumer -benchtime 1x -timeout 2h -args -consumer.rows 5000000 -consumer.pairs 5
//
// Set SLUICE_TEST_KAFKA=host:port to measure on that broker instead of the embedded one.
func BenchmarkConsumer(b *testing.B) {
	brokers := benchBroker(b)
	for _, kind := range []struct {
		name string
		size int
	}{{"200B", 200}, {"1.4KB", 1400}} {
		b.Run(kind.name, func(b *testing.B) { newConsumerBench(b, brokers, kind.size).run(b) })
	}
}

func benchBroker(b *testing.B) string {
	b.Helper()
	if addr := os.Getenv("SLUICE_TEST_KAFKA"); addr != "" {
		return addr
	}
	broker := embedded.NewBroker(embedded.BrokerConfig{Addr: "127.0.0.1:0", DataDir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- broker.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	<-broker.Ready()
	return broker.Addr()
}

// consumerBench is one size of event, on a topic of its own.
type consumerBench struct {
	conn kafkaconn.Config
	rows int
	size int
	runs atomic.Int64
	sum  string // of what sluice wrote, to compare with
}

func newConsumerBench(b *testing.B, brokers string, size int) *consumerBench {
	b.Helper()
	clickhousetest.Engine(b)
	topic := fmt.Sprintf("bench-%d-%d", size, time.Now().UnixNano())
	c := &consumerBench{conn: kafkaconn.Config{Brokers: []string{brokers}, Topic: topic, DeadTopic: topic + ".dead"}, rows: *consumerRows, size: size}
	fillTopic(b, c.conn, c.rows, size)
	return c
}

func (c *consumerBench) run(b *testing.B) {
	var sluice, rival, cheap, prepared, toRival, toCheap, toPrepared []float64
	for range *consumerPairs {
		x := c.sluice(b)
		y := c.kafkaEngine(b, "kafka_engine")
		z := c.prepared(b)
		b.Logf("%s: sluice %.0f, kafka engine %.0f, prepared blocks %.0f rows/s", b.Name(), x, y, z)
		sluice, rival, prepared = append(sluice, x), append(rival, y), append(prepared, z)
		toRival, toPrepared = append(toRival, x/y), append(toPrepared, x/z)
		if *consumerCheap {
			y := c.kafkaEngine(b, "kafka_engine_cheap")
			b.Logf("%s: kafka engine with the least work %.0f rows/s", b.Name(), y)
			cheap, toCheap = append(cheap, y), append(toCheap, x/y)
		}
	}
	b.ReportMetric(middle(sluice), "rows/s")
	b.ReportMetric(middle(rival), "kafka_engine_rows/s")
	b.ReportMetric(middle(prepared), "prepared_rows/s")
	b.ReportMetric(middle(toRival), "to_kafka_engine")
	if *consumerCheap {
		b.ReportMetric(middle(cheap), "cheap_kafka_engine_rows/s")
		b.ReportMetric(middle(toCheap), "to_cheap_kafka_engine")
	}
	b.ReportMetric(middle(toPrepared), "to_prepared")
	b.ReportMetric(0, "ns/op")
	disk, plain := c.disk(b)
	b.ReportMetric(disk, "disk_B/row")
	b.ReportMetric(disk/plain, "disk_to_zstd_string")
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

// place is a database of one run, with the schema.
func (c *consumerBench) place(b *testing.B) (name string, store schema.Config) {
	b.Helper()
	name = fmt.Sprintf("bench_%d_%d", c.size, c.runs.Add(1))
	store = schema.Config{ClickHouse: clickhouse.Config{DSN: "clickhouse://" + clickhousetest.Engine(b).TCPAddr() + "/" + name}, Retention: new(settings.Duration(10 * 365 * 24 * time.Hour))} // none of the rows is too old
	if err := schema.NewMigrator(store, io.Discard).Apply(b.Context()); err != nil {
		b.Fatal(err)
	}
	return name, store
}

// config is the consumer's settings as they are by default.
func (c *consumerBench) config(name string, store schema.Config) Config {
	return Config{
		Group: name, Store: store, BatchRows: 100_000, BatchBytes: 16 << 20, BufferBytes: 128 << 20, FlushAge: time.Second, InsertsPerSecond: 12, BlockPartitions: 1000, Sample: 1,
		MaxEventAge: settings.Duration(90 * 24 * time.Hour),
	}
}

// sluice runs one consumer until all is in.
func (c *consumerBench) sluice(b *testing.B) float64 {
	b.Helper()
	name, store := c.place(b)
	defer c.drop(b, name)
	member, err := New(c.config(name, store), Deps{
		Kafka: c.conn, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), DrainTimeout: 20 * time.Second,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- member.Run(ctx) }()
	rate := c.rate(b, name, "events_raw")
	stop()
	if err := <-done; err != nil {
		b.Error(err)
	}
	c.sum = c.ask(b, name, fmt.Sprintf(sumOfRows, "events_raw"))
	return rate
}

// sumOfRows tells tables apart that have not the same events in them, by column.
const sumOfRows = `SELECT count(), sum(cityHash64(event_id)) AS event_ids, sum(cityHash64(id_time)) AS id_times, sum(cityHash64(timestamp)) AS timestamps,
	sum(cityHash64(client_timestamp)) AS client_timestamps, sum(cityHash64(timestamp_adjusted)) AS timestamp_adjusteds, sum(cityHash64(level)) AS levels,
	sum(cityHash64(message)) AS messages, sum(cityHash64(fingerprint)) AS fingerprints, sum(cityHash64(exception_type)) AS exception_types,
	sum(cityHash64(exception_value)) AS exception_values, sum(cityHash64(release)) AS releases, sum(cityHash64(user_id)) AS user_ids,
	sum(cityHash64(tags)) AS tagss, sum(cityHash64(payload)) AS payloads, sum(cityHash64(_offset)) AS offsets FROM %s FORMAT JSONEachRow`

// kafkaEngine lets ClickHouse read the topic itself until all is in.
func (c *consumerBench) kafkaEngine(b *testing.B, ddl string) float64 {
	b.Helper()
	name, _ := c.place(b)
	defer c.drop(b, name)
	text, err := os.ReadFile("testdata/" + ddl + ".sql")
	if err != nil {
		b.Fatal(err)
	}
	script := strings.NewReplacer("{{rival}}", "rival", "{{brokers}}", c.conn.Brokers[0], "{{topic}}", c.conn.Topic).Replace(string(text))
	script = strings.ReplaceAll(script, "kafka_group_name = 'rival'", "kafka_group_name = '"+name+"'")
	for statement := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(statement) != "" {
			c.ask(b, name, statement)
		}
	}
	rate := c.rate(b, name, "rival")
	if sum := c.ask(b, name, fmt.Sprintf(sumOfRows, "rival")); ddl == "kafka_engine" && sum != c.sum {
		b.Errorf("the kafka engine wrote other rows: %s, not %s", sum, c.sum)
	}
	c.ask(b, name, "DROP TABLE rival_view")
	c.ask(b, name, "DROP TABLE rival_queue")
	return rate
}

// rate waits until all rows are in a table, and says how many a second came after the first that were seen.
func (c *consumerBench) rate(b *testing.B, database, table string) float64 {
	b.Helper()
	var start time.Time
	first, last := 0, 0
	for waited := time.Now(); last < c.rows; backoff.Sleep(b.Context(), 20*time.Millisecond) {
		n, err := strconv.Atoi(c.ask(b, database, "SELECT count() FROM "+table))
		if err != nil {
			b.Fatal(err)
		}
		if n > last {
			if waited = time.Now(); first == 0 {
				first, start = n, waited
			}
			last = n
		}
		if time.Since(waited) > 2*time.Minute {
			b.Fatalf("no more rows in %s after %d of %d", table, last, c.rows)
		}
	}
	return float64(last-first) / time.Since(start).Seconds()
}

// prepared inserts the same rows from blocks made before, over HTTP.
func (c *consumerBench) prepared(b *testing.B) float64 {
	b.Helper()
	name, _ := c.place(b)
	defer c.drop(b, name)
	const blocks, perBlock = 10, 100_000
	var buf proto.Buffer
	compressor := compress.NewWriter(compress.LevelZero, compress.LZ4)
	rowsIn := rows.New()
	proc := &rowbuilder.Builder{Topic: c.conn.Topic, MaxAge: 90 * 24 * time.Hour}
	var took time.Duration
	for i := range blocks {
		rowsIn.Reset()
		for n := range perBlock {
			r := benchRecord(i*perBlock+n, c.size)
			if err := proc.Build(&r, rowsIn); err != nil {
				b.Fatal(err)
			}
		}
		buf.Reset()
		columns := rowsIn.Columns()
		raw := proto.Block{Columns: len(columns), Rows: rowsIn.Rows()}
		if err := raw.EncodeRawBlock(&buf, 0, columns); err != nil {
			b.Fatal(err)
		}
		if err := compressor.Compress(buf.Buf); err != nil {
			b.Fatal(err)
		}
		names := make([]string, len(columns))
		for i, column := range columns {
			names[i] = column.Name
		}
		params := url.Values{
			"query": {"INSERT INTO " + name + ".events_raw (" + strings.Join(names, ", ") + ") FORMAT Native"}, "decompress": {"1"},
			"async_insert": {"0"}, "max_partitions_per_insert_block": {"300"}, "use_strict_insert_block_limits": {"0"}, // as the consumer sends them
			"insert_deduplicate": {"1"}, "deduplicate_insert": {"enable"}, "optimize_on_insert": {"0"},
		}
		start := time.Now()
		resp, err := http.Post("http://"+clickhousetest.Engine(b).HTTPAddr()+"/?"+params.Encode(), "", bytes.NewReader(compressor.Data))
		if err != nil {
			b.Fatal(err)
		}
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			b.Fatalf("%s, error %v", answer, err)
		}
		took += time.Since(start)
	}
	return blocks * perBlock / took.Seconds()
}

// disk compares what a row of events_raw takes with the same events in one compressed column.
func (c *consumerBench) disk(b *testing.B) (raw, plain float64) {
	b.Helper()
	name, store := c.place(b)
	defer c.drop(b, name)
	const events = 200_000
	in := rows.New()
	proc := &rowbuilder.Builder{Topic: c.conn.Topic, MaxAge: 90 * 24 * time.Hour}
	for n := range events {
		r := benchRecord(n, c.size)
		if err := proc.Build(&r, in); err != nil {
			b.Fatal(err)
		}
	}
	if err := insertInto(b, store, in); err != nil {
		b.Fatal(err)
	}
	c.ask(b, name, "OPTIMIZE TABLE events_raw FINAL")
	c.ask(b, name, "CREATE TABLE plain (payload String CODEC(ZSTD(1))) ENGINE = MergeTree ORDER BY tuple() AS SELECT payload FROM events_raw ORDER BY _offset")
	bytes := func(table string) float64 {
		n, err := strconv.ParseFloat(c.ask(b, name, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND table = '"+table+"'"), 64)
		if err != nil {
			b.Fatal(err)
		}
		return n / events
	}
	return bytes("events_raw"), bytes("plain")
}

func (c *consumerBench) drop(b *testing.B, name string) {
	b.Helper()
	c.ask(b, "default", "DROP DATABASE IF EXISTS "+name+" SYNC")
}

func (c *consumerBench) ask(b *testing.B, database, statement string) string {
	b.Helper()
	text, err := clickhousetest.Query(b.Context(), database, statement)
	if err != nil {
		b.Fatal(err)
	}
	return text
}
