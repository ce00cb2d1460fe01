package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/kafka"
	"sluice/consumer/kafka/kafkatest"
	"sluice/consumer/schema"
	"sluice/internal/kafkaconn"
	"sluice/internal/recordbatch"
)

// running is a Consumer at work.
type running struct {
	*Consumer
	stop func() error
}

// consume starts a consumer. The end of the test stops it, if nothing did before.
func consume(t *testing.T, conn kafkaconn.Config, store schema.Config) *running {
	t.Helper()
	return consumeFor(t, conn, store, 20*time.Second, quick)
}

// consumeFor says how long the drain may take, and how often the consumer does what it does by itself.
func consumeFor(t *testing.T, conn kafkaconn.Config, store schema.Config, drain time.Duration, timing timing) *running {
	t.Helper()
	return consumeAs(t, conn, store, drain, timing)
}

// consumeWith changes the settings.
func consumeWith(t *testing.T, conn kafkaconn.Config, store schema.Config, edit ...func(*Config)) *running {
	t.Helper()
	return consumeAs(t, conn, store, 20*time.Second, quick, edit...)
}

func consumeAs(
	t *testing.T, conn kafkaconn.Config, store schema.Config, drain time.Duration, timing timing, edit ...func(*Config),
) *running {
	t.Helper()
	cfg := goodConfig()
	cfg.Store, cfg.FlushAge, cfg.InsertsPerSecond = store, 50*time.Millisecond, 1000
	for _, e := range edit {
		e(&cfg)
	}
	c, err := newConsumer(cfg, Deps{Kafka: conn, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler), DrainTimeout: drain}, timing)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(); err == nil || !strings.Contains(err.Error(), "starting") {
		t.Errorf("ready before it runs: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	r := &running{Consumer: c}
	r.stop = func() error {
		cancel()
		err := <-done
		done <- err
		return err
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return r
}

func (r *running) owns() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.owned)
}

// Two consumers share a topic's partitions, and all events become rows. One stops, and the other goes on where the
// first one stopped: nothing is missing and no record is in the table twice.
func TestGroup(t *testing.T) {
	t.Parallel() // most of it is waiting for heartbeats
	const partitions, each = 6, 100
	d := migrated(t)
	b := kafkatest.New(t, partitions)
	one, two := consume(t, b.Conn, d.native()), consume(t, b.Conn, d.http())
	waitUntil(t, "both have partitions", func() bool {
		return one.owns() > 0 && two.owns() > 0 && one.owns()+two.owns() == partitions
	})
	for _, c := range []*running{one, two} {
		if err := c.Ready(); err != nil {
			t.Error(err)
		}
		if err := c.Live(); err != nil {
			t.Error(err)
		}
	}
	written := 0
	write := func() {
		for p := range partitions {
			var records []recordbatch.Record
			for range each {
				records = append(records, plain(int64(written)))
				written++
			}
			records = append(records, recordbatch.Record{Value: []byte("poison")})
			b.Write(t, p, produced(records...)...)
		}
	}
	arrived := func() {
		t.Helper()
		waitUntil(t, "all events are rows", func() bool { return d.ask("SELECT count() FROM events") == fmt.Sprint(written) })
		d.asks("SELECT count(), uniqExact(_partition, _offset), uniqExact(event_id) FROM events_raw", fmt.Sprintf("%d\t%d\t%d", written, written, written))
		waitUntil(t, "all is committed", func() bool {
			for p := range partitions {
				if b.Committed(t, "sluice", p) != int64(written/partitions+written/partitions/each) {
					return false
				}
			}
			return true
		})
	}
	write()
	arrived()
	if got := testutil.ToFloat64(one.metrics.rows); got == 0 || got == float64(written) {
		t.Errorf("one of the two inserted %v of %d rows", got, written)
	}

	if err := one.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := one.Ready(); err == nil || one.owns() != 0 {
		t.Errorf("after the stop: ready %v, %d partitions", err, one.owns())
	}
	write()
	waitUntil(t, "the other has taken over", func() bool { return two.owns() == partitions })
	arrived()
	if got := len(b.DeadLetters(t, 2*partitions)); got != 2*partitions {
		t.Errorf("%d dead letters", got)
	}
	if got := testutil.ToFloat64(two.metrics.rebalances); got < 2 {
		t.Errorf("%v rebalances counted", got)
	}
}

// With Kafka away a consumer is not ready, is alive, and stops when it is told to.
func TestKafkaAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := consume(t, kafkaconn.Config{Brokers: []string{l.Addr().String()}, Topic: "events", DeadTopic: "events.dead"}, goodConfig().Store)
	if err := c.Live(); err != nil {
		t.Error(err)
	}
	if c.Ready() == nil {
		t.Error("ready without Kafka")
	}
	if err := c.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// Settings with faults make no consumer: neither its own nor Kafka's.
func TestNewChecks(t *testing.T) {
	deps := Deps{Kafka: kafkaconn.Config{Brokers: []string{"nowhere"}, Topic: "events", DeadTopic: "events"}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)}
	_, err := New(Config{}, deps)
	for _, flag := range []string{"--batch-rows", "--clickhouse-dsn", "--kafka-brokers", "--kafka-dead-topic"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s is not mentioned in: %v", flag, err)
		}
	}
}

// In a real group a fourth consumer gets its quarter, and no other partition moves.
func TestGroupIsSticky(t *testing.T) {
	t.Parallel()
	const partitions = 12
	d := migrated(t)
	b := kafkatest.New(t, partitions)
	var members []*running
	settled := func() bool {
		for _, m := range members {
			if m.owns() != partitions/len(members) {
				return false
			}
		}
		return true
	}
	for range 3 {
		members = append(members, consume(t, b.Conn, d.native()))
	}
	waitUntil(t, "three share", settled)
	before := owners(members)
	members = append(members, consume(t, b.Conn, d.native()))
	waitUntil(t, "four share", settled)
	moved := 0
	for p, owner := range owners(members) {
		if before[p] != owner {
			moved++
			if owner != 3 {
				t.Errorf("partition %d moved to an old member", p)
			}
		}
	}
	if moved != partitions/4 {
		t.Errorf("%d of %d partitions moved", moved, partitions)
	}
}

// quick is a timing that tests do not have to wait for.
var quick = timing{
	kafka: kafka.Timing{Heartbeat: 150 * time.Millisecond, Topic: 150 * time.Millisecond}, lag: 150 * time.Millisecond,
}

// A consumer is stopped just before the others send their heartbeats, by which they learn that it has left, and is back
// a second later. It leaves after the heartbeats, so that leaving and coming back are one rebalance.
func TestRestartIsOneRebalance(t *testing.T) {
	t.Parallel()
	d := migrated(t)
	b := kafkatest.New(t, 4)
	one, two := consumeFor(t, b.Conn, d.native(), 25*time.Second, defaultTiming()), consumeFor(t, b.Conn, d.native(), 25*time.Second, defaultTiming())
	waitUntil(t, "both have partitions", func() bool { return one.owns() == 2 && two.owns() == 2 })
	began, before := time.Now(), testutil.ToFloat64(two.metrics.rebalances)
	waitUntil(t, "it is half a second before the next heartbeats", func() bool { return time.Since(began) > 3*time.Second-500*time.Millisecond })
	if err := one.stop(); err != nil {
		t.Fatal(err)
	}
	stopped := time.Now()
	waitUntil(t, "a second has passed", func() bool { return time.Since(stopped) > time.Second })
	again := consumeFor(t, b.Conn, d.native(), 25*time.Second, defaultTiming())
	waitUntil(t, "both have partitions again", func() bool { return again.owns() == 2 && two.owns() == 2 })
	if got := testutil.ToFloat64(two.metrics.rebalances) - before; got != 1 {
		t.Errorf("the restart made %v rebalances", got)
	}
}

// owners is which member has each partition.
func owners(members []*running) map[int]int {
	out := map[int]int{}
	for i, m := range members {
		m.mu.Lock()
		for p := range m.owned {
			out[p] = i
		}
		m.mu.Unlock()
	}
	return out
}
