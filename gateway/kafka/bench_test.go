//go:build unix

package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"sluice/gateway/kafka/kafkatest"
	"sluice/gateway/publish"
	"sluice/internal/recordbatch/batchtest"
)

// BenchmarkPublisher measures the publisher alone: 128 requests at a time, one event of about 200 bytes each, to 12
// partitions. It uses the Kafka that SLUICE_TEST_KAFKA names, or a broker in this process, whose work is then part of
// the figures.
func BenchmarkPublisher(b *testing.B) {
	for _, codec := range batchtest.Codecs {
		b.Run(codec, func(b *testing.B) { benchmarkPublisher(b, codec) })
	}
}

func benchmarkPublisher(b *testing.B, codec string) {
	b.Helper()
	brokers := []string{os.Getenv(kafkatest.Setting)}
	if brokers[0] == "" {
		cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(cluster.Close)
		brokers = cluster.ListenAddrs()
	}
	topic := fmt.Sprintf("gateway-bench-%d", rand.Uint64())
	p, err := New(configOf(brokers, topic))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.Close)
	create := []kafka.TopicConfig{{Topic: topic, NumPartitions: 12, ReplicationFactor: 1}}
	if _, err := p.client.CreateTopics(b.Context(), &kafka.CreateTopicsRequest{Topics: create}); err != nil {
		b.Fatal(err)
	}
	pub, err := publish.New(p, publish.Config{MaxInflightBytes: 256 << 20, Compression: codec})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); pub.Run(ctx) }()
	b.Cleanup(func() {
		stop()
		<-done
		_, _ = p.client.DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	})
	prepared := batchtest.EventsLike(4096)
	for i := range 64 { // every lane and partition has been used
		if err := send(pub, prepared[i:i+1], time.Now().Add(10*time.Second))[0]; err != nil {
			b.Fatal(err)
		}
	}
	const requests = 128
	var all sync.WaitGroup
	took := make([][]time.Duration, requests)
	b.ReportAllocs()
	cpu := cpuUsed()
	b.ResetTimer()
	for r := range requests {
		all.Go(func() {
			for i := r; i < b.N; i += requests {
				at := i % len(prepared)
				start := time.Now()
				if err := send(pub, prepared[at:at+1], start.Add(10*time.Second))[0]; err != nil {
					b.Error(err)
					return
				}
				took[r] = append(took[r], time.Since(start))
			}
		})
	}
	all.Wait()
	b.StopTimer()
	sorted := slices.Sorted(slices.Values(slices.Concat(took...)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64((cpuUsed()-cpu).Nanoseconds())/float64(b.N), "cpu-ns/event")
	b.ReportMetric(float64(sorted[len(sorted)*99/100].Microseconds())/1000, "p99-ms")
}

// cpuUsed returns the CPU time that this process has used.
func cpuUsed() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
