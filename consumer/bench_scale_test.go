package consumer

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/internal/kafkaconn"
)

var (
	scalePartitions = flag.String("scale.partitions", "12,96,384,1536", "how many partitions the topics of BenchmarkScale have")
	scaleRows       = flag.Int("scale.rows", 2_000_000, "events that BenchmarkScale catches up on")
	scaleSeconds    = flag.Int("scale.seconds", 20, "for how long BenchmarkScale measures how fresh events are")
	scaleProfiles   = flag.String("scale.profiles", "", "directory for the consumer's log and profiles in each phase of BenchmarkScale")
	scaleHang       = flag.Duration("scale.hang", 0, "when the consumer hangs, after its start, so that another one takes over; 0: never")
	scaleAlone      = flag.Bool("scale.alone", false, "each partition inserts on its own")
)

// scaleIdle is how long BenchmarkScale measures what a consumer costs that has nothing to do.
const scaleIdle = 5 * time.Second

// BenchmarkScale measures one consumer with more and more partitions: the time to catch up on the same number of
// events, how fresh 2,000 events a second are on the way, and what it costs. The consumer is the program as it is, with
// the settings that it has by default: its memory, goroutines, connections and CPU time are its own. Broker, engine and
// sender share the machine with it.
//
//	go test ./consumer -run '^$' -bench Scale -benchtime 1x -args -scale.partitions 12,96,384,1536
//
// Set SLUICE_TEST_KAFKA=host:port,… to measure on those brokers instead of the embedded one.
func BenchmarkScale(b *testing.B) {
	brokers := benchBroker(b)
	program := buildConsumer(b)
	for _, text := range strings.Split(*scalePartitions, ",") {
		partitions, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) { newScaleBench(b, brokers, partitions).run(b, program) })
	}
}

// scaleBench is one number of partitions, on a topic of its own.
type scaleBench struct {
	consumerBench

	partitions int
	database   string
	client     *kgo.Client
	member     *scaleMember
}

func newScaleBench(b *testing.B, brokers string, partitions int) *scaleBench {
	b.Helper()
	clickhousetest.Engine(b)
	topic := fmt.Sprintf("scale-%d-%d", partitions, time.Now().UnixNano())
	s := &scaleBench{partitions: partitions}
	s.conn = kafkaconn.Config{Brokers: strings.Split(brokers, ","), Topic: topic, DeadTopic: topic + ".dead"}
	s.rows, s.size = *scaleRows, 200
	var err error
	if s.client, err = kgo.NewClient(kgo.SeedBrokers(s.conn.Brokers...), kgo.DefaultProduceTopic(topic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1900<<10),
		kgo.MaxBufferedRecords(200_000), kgo.ProducerLinger(5*time.Millisecond)); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.client.Close)
	makeBenchTopic(b, s.client, topic, int32(partitions))
	makeBenchTopic(b, s.client, topic+".dead", 1)
	return s
}

func (s *scaleBench) run(b *testing.B, program string) {
	for n := range s.rows {
		s.write(b, n, time.Time{})
	}
	s.flush(b)
	name, store := s.place(b)
	s.database = name
	defer s.drop(b, name)
	s.member = s.start(b, program, store.ClickHouse.DSN)
	if *scaleHang > 0 {
		defer s.hang(b)()
		s.member = s.start(b, program, store.ClickHouse.DSN)
	}
	defer s.member.stop(b)
	s.catchUp(b)
	sent := s.freshness(b)
	s.cost(b)
	s.idle(b)
	b.ReportMetric(0, "ns/op")
	if got := s.ask(b, name, "SELECT count(), uniqExact(_partition, _offset) FROM events_raw"); got != fmt.Sprintf("%d\t%d", sent, sent) {
		b.Errorf("rows and distinct offsets are %q, not %d of each", got, sent)
	}
}

// write sends an event to the partition whose turn it is.
func (s *scaleBench) write(b *testing.B, n int, received time.Time) {
	r := benchRecord(n, s.size)
	out := &kgo.Record{Value: r.Value, Partition: int32(n % s.partitions)}
	for _, h := range r.Headers {
		value := h.Value
		if h.Key == "received-at" && !received.IsZero() {
			value = strconv.AppendInt(nil, received.UnixMilli(), 10)
		}
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: value})
	}
	s.client.Produce(b.Context(), out, func(_ *kgo.Record, err error) {
		if err != nil {
			b.Error(err)
		}
	})
}

func (s *scaleBench) flush(b *testing.B) {
	b.Helper()
	if err := s.client.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// await waits until the table has a number of rows.
func (s *scaleBench) await(b *testing.B, rows int) {
	b.Helper()
	for began := time.Now(); ; <-time.After(20 * time.Millisecond) {
		got := s.ask(b, s.database, "SELECT count() FROM events_raw")
		if got == strconv.Itoa(rows) {
			return
		}
		if time.Since(began) > 5*time.Minute {
			b.Fatalf("%s of %d rows", got, rows)
		}
	}
}

// hang stops the consumer in the middle of its work. The group waits for it before another one gets its partitions.
// The function that is returned ends it.
func (s *scaleBench) hang(b *testing.B) (end func()) {
	b.Helper()
	<-time.After(time.Until(s.member.began.Add(*scaleHang)))
	m := s.member
	if err := m.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := m.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			b.Error(err)
		}
		m.stop(b)
	}
}

// assigned waits until the consumer has its partitions.
func (s *scaleBench) assigned(b *testing.B) {
	b.Helper()
	for s.member.figures(b)["sluice_consumer_assigned_partitions"] == 0 {
		<-time.After(10 * time.Millisecond)
	}
}

// catchUp measures the time from the start of the program to the last row, or from when it has the partitions of a
// consumer that hangs. It also measures the CPU time that consumer and the process with sender and embedded broker take
// meanwhile.
func (s *scaleBench) catchUp(b *testing.B) {
	b.Helper()
	ours := ownCPU(b)
	stop := s.member.profile(b, "catch-up")
	began, unit := s.member.began, "s_to_catch_up"
	if *scaleHang > 0 {
		s.assigned(b)
		began, unit = time.Now(), "s_to_take_over"
	}
	s.await(b, s.rows)
	b.ReportMetric(time.Since(began).Seconds(), unit)
	b.ReportMetric(s.member.figure(b, "process_cpu_seconds_total"), "cpu_s_to_catch_up")
	if os.Getenv("SLUICE_TEST_KAFKA") == "" {
		b.ReportMetric(ownCPU(b)-ours, "cpu_s_of_broker")
	}
	stop()
}

// freshness sends 2,000 events a second and measures how long they take from receipt to insert. It returns how many
// events were sent in all.
func (s *scaleBench) freshness(b *testing.B) (sent int) {
	b.Helper()
	before := s.member.figures(b)
	stop := s.member.profile(b, "steady")
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	sent = s.rows
	for time.Since(began) < time.Duration(*scaleSeconds)*time.Second {
		<-tick.C
		for due := s.rows + int(time.Since(began).Seconds()*2000); sent < due; sent++ {
			s.write(b, sent, time.Now())
		}
	}
	s.flush(b)
	s.await(b, sent)
	took := time.Since(began).Seconds()
	after := s.member.figures(b)
	stop()
	quantiles := strings.Split(strings.Trim(s.ask(b, s.database, fmt.Sprintf("SELECT quantiles(0.5, 0.99, 1)"+
		"(toUnixTimestamp64Milli(inserted_at) - toUnixTimestamp64Milli(received_at)) FROM events_raw "+
		"WHERE received_at > toDateTime64(%[1]d, 3) AND inserted_at > toDateTime64(%[1]d, 3)", began.Unix())), "[]\n"), ",")
	for i, name := range []string{"ms_fresh_p50", "ms_fresh_p99", "ms_fresh_most"} {
		v, err := strconv.ParseFloat(quantiles[i], 64)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(v, name)
	}
	for name, unit := range map[string]string{
		"sluice_consumer_batch_rows_count":     "inserts/s",
		"sluice_consumer_offset_commits_total": "commits/s",
		"process_cpu_seconds_total":            "cpu_steady",
	} {
		b.ReportMetric((after[name]-before[name])/took, unit)
	}
	return sent
}

// cost measures what there is after that.
func (s *scaleBench) cost(b *testing.B) {
	b.Helper()
	parts, err := strconv.Atoi(s.ask(b, s.database, "SELECT count() FROM system.parts "+
		"WHERE active AND database = currentDatabase() AND table = 'events_raw'"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(parts), "parts")
	now := s.member.figures(b)
	b.ReportMetric(now["process_resident_memory_bytes"]/(1<<20), "MiB_RSS")
	b.ReportMetric(now["go_goroutines"], "goroutines")
	b.ReportMetric(float64(s.member.connections(b, s.brokerPorts(b))), "connections")
}

// idle measures the CPU time that the program takes with nothing to do.
func (s *scaleBench) idle(b *testing.B) {
	b.Helper()
	stop := s.member.profile(b, "idle")
	before, began := s.member.figure(b, "process_cpu_seconds_total"), time.Now()
	<-time.After(scaleIdle)
	b.ReportMetric((s.member.figure(b, "process_cpu_seconds_total")-before)/time.Since(began).Seconds(), "cpu_idle")
	stop()
}

// ownCPU is the CPU time of this process, in seconds.
func ownCPU(b *testing.B) float64 {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}
