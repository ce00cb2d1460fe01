//go:build unix

package gateway

import (
	"context"
	"flag"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/kafka/kafkatest"
)

var (
	slowBy      = flag.Duration("slow.by", 500*time.Millisecond, "by how much later one broker of BenchmarkSlowBroker answers")
	slowSettles = flag.Duration("slow.settles", 10*time.Second, "how long BenchmarkSlowBroker lets the gateway notice")
	slowRate    = flag.Int("slow.rate", 2000, "single events a second of BenchmarkSlowBroker")
)

// BenchmarkSlowBroker measures the p99 of single events while one of three brokers answers late, beside that of three
// healthy brokers, in turn.
//
//	go test ./gateway -run '^$' -bench SlowBroker -benchtime 1x -args -edge.seconds 10 -edge.pairs 5
//
// Set SLUICE_TEST_KAFKA=host:port,host:port,host:port to measure on Apache Kafka, as `make kafka-up NODES=3` starts it.
func BenchmarkSlowBroker(b *testing.B) {
	s := kafkatest.OnThree(b, 12)
	links := kafkatest.NewLinks(b, s)
	g, err := New(Config{
		HTTPAddr: "127.0.0.1:0", RequestTimeout: 10 * time.Second, HTTPIdleTimeout: time.Minute,
		MaxEventBytes: 1 << 20, MaxBulkBytes: 5 << 20, MaxHeaderBytes: 16 << 10, MaxInflightBytes: 256 << 20,
		PartitionBy: "none", KafkaCompression: benchCompression,
	}, Deps{
		Kafka: s.Config(), Producer: kafkaOf(s, links.Dial), Metrics: prometheus.NewRegistry(),
		Log: slog.New(slog.DiscardHandler), DrainTimeout: 10 * time.Second,
		Projects: projectsIn(b, limited(100_000_000, "1s")),
	})
	if err != nil {
		b.Fatal(err)
	}
	l, err := g.Listen()
	if err != nil {
		b.Fatal(err)
	}
	background(b, func(ctx context.Context) error { return g.Run(ctx, l) })
	for g.publisher.Partitions() == 0 {
		sleep(context.Background(), time.Millisecond)
	}
	const connections = 64
	h := hammer{
		addr: l.Addr().String(), connections: connections, requests: requestsOf(1000),
		every: connections * time.Second / time.Duration(*slowRate),
	}
	p99 := func(by time.Duration) func(time.Duration) float64 {
		return func(d time.Duration) float64 {
			links.To(0).Late(by)
			h.run(b, *slowSettles)
			return float64(h.run(b, d).p99()) / 1e6
		}
	}
	pairs(b, false, "ratio", "slow_p99_ms", "healthy_p99_ms", p99(*slowBy), p99(0))
}
