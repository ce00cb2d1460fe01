package consumer

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/consumer/blocking"
	"sluice/consumer/kafka/kafkatest"
	"sluice/internal/kafkaconn"
	"sluice/internal/recordbatch"
)

// consumeLogged starts a consumer whose log is read, and whose ClickHouse does not exist. The end of the test stops it.
func consumeLogged(t *testing.T, conn kafkaconn.Config) (*Consumer, *lines) {
	t.Helper()
	var log lines
	cfg := goodConfig()
	cfg.Store.ClickHouse.DSN = "clickhouse://127.0.0.1:1/sluice"
	c, err := newConsumer(cfg, Deps{Kafka: conn, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(&log, nil)), DrainTimeout: 20 * time.Second}, quick)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return c, &log
}

func (c *Consumer) blockedByKafka() float64 {
	return testutil.ToFloat64(c.metrics.blocked.WithLabelValues(blocking.Kafka))
}

// A consumer without its topic says so once in its log, in its readiness, and in a metric. It is alive, and begins when
// the topic exists.
func TestConsumerWithoutItsTopic(t *testing.T) {
	t.Parallel()
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	c, log := consumeLogged(t, kafkaconn.Config{Brokers: fake.ListenAddrs(), Topic: "events", DeadTopic: "events.dead"})
	var looks atomic.Int32
	fake.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		looks.Add(1)
		return nil, nil, false
	})
	waitUntil(t, "the topic is named", func() bool {
		err := c.Ready()
		return err != nil && strings.Contains(err.Error(), "topic events:") && strings.Contains(err.Error(), "sluice topics apply")
	})
	waitUntil(t, "it is blocked", func() bool { return c.blockedByKafka() == 1 })
	if err := c.Live(); err != nil {
		t.Errorf("not alive: %v", err)
	}
	waitUntil(t, "it looked several times", func() bool { return looks.Load() >= 5 })
	if n := strings.Count(log.String(), "cannot join the consumer group"); n != 1 {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	if err := fake.CreateTopic("events", 4, nil); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "it works", func() bool { return c.Ready() == nil && testutil.ToFloat64(c.metrics.assigned) == 4 })
	if got := testutil.ToFloat64(c.metrics.rebalances); got != 1 {
		t.Errorf("%v generations", got)
	}
	if got := testutil.ToFloat64(c.metrics.partitions); got != 4 {
		t.Errorf("%v partitions", got)
	}
	waitUntil(t, "kafka is there", func() bool { return c.blockedByKafka() == 0 })
}

// A consumer without partitions says so, once in its log and in its metrics.
func TestConsumerWithoutPartitions(t *testing.T) {
	t.Parallel()
	const idle = "this consumer has no partitions"
	b := kafkatest.New(t, 1)
	one, oneLog := consumeLogged(t, b.Conn)
	waitUntil(t, "the first has the partition", func() bool { return testutil.ToFloat64(one.metrics.assigned) == 1 })
	two, twoLog := consumeLogged(t, b.Conn)
	waitUntil(t, "the second has none", func() bool { return strings.Contains(twoLog.String(), idle) })
	if testutil.ToFloat64(two.metrics.assigned) != 0 || testutil.ToFloat64(two.metrics.partitions) != 1 || two.Ready() != nil || two.Live() != nil {
		t.Errorf("assigned %v of %v, ready %v, live %v", testutil.ToFloat64(two.metrics.assigned), testutil.ToFloat64(two.metrics.partitions), two.Ready(), two.Live())
	}
	if err := b.Grow(2); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "each has one", func() bool {
		return testutil.ToFloat64(one.metrics.assigned) == 1 && testutil.ToFloat64(two.metrics.assigned) == 1
	})
	if n := strings.Count(twoLog.String(), idle); n != 1 || strings.Contains(oneLog.String(), idle) {
		t.Errorf("said %d times", n)
	}
}

// While no coordinator of the group answers, the lag is still reported, with the ends that the leaders tell, and the
// consumer is alive.
func TestLagWhileTheGroupIsAway(t *testing.T) {
	t.Parallel()
	b := kafkatest.New(t, 2)
	b.Write(t, 0, produced(plain(0))...)
	c, _ := consumeLogged(t, b.Conn)
	lag := func() float64 { return testutil.ToFloat64(c.metrics.lags.Gauge.WithLabelValues("events", "0")) }
	waitUntil(t, "there is lag", func() bool { return lag() == 1 })
	b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup, kmsg.LeaveGroup}, TopLevel: true, Err: kerr.CoordinatorNotAvailable, Count: -1},
		kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.RebalanceInProgress, Count: 1})
	waitUntil(t, "the group is away", func() bool { return testutil.ToFloat64(c.metrics.assigned) == 0 && c.blockedByKafka() == 1 })
	before := testutil.ToFloat64(c.metrics.lags)
	b.Write(t, 0, produced(plain(1), plain(2))...)
	waitUntil(t, "the lag grows", func() bool { return lag() == 3 && testutil.ToFloat64(c.metrics.lags) > before })
	if err := c.Live(); err != nil {
		t.Errorf("not alive: %v", err)
	}
}

// produced are records as another client writes them.
func produced(records ...recordbatch.Record) (out []*kgo.Record) {
	for _, r := range records {
		one := &kgo.Record{Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			one.Headers = append(one.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		out = append(out, one)
	}
	return out
}
