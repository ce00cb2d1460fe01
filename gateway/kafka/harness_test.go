package kafka

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/kafka/kafkatest"
	"sluice/gateway/publish"
	"sluice/internal/kafkaconn"
	"sluice/internal/recordbatch"
	"sluice/internal/recordbatch/batchtest"
)

// configOf says how to reach a topic.
func configOf(brokers []string, topic string) Config {
	conn := kafkaconn.Config{Brokers: brokers, Topic: topic, DeadTopic: "dead"}
	return Config{Conn: conn, Timeout: publish.AttemptTimeout}
}

// producerOf makes a producer for a site, until the test ends. dial may replace its connections.
func producerOf(s *kafkatest.Site, dial ...dialer) *Producer {
	cfg := configOf(s.Brokers, s.Topic)
	if len(dial) > 0 {
		cfg.Dial = dial[0]
	}
	p, err := New(cfg)
	require.NoError(s.T, err)
	s.T.Cleanup(p.Close)
	return p
}

// publisherOver runs a publisher over p until the test ends.
func publisherOver(t testing.TB, p broker.Producer, compression string, log ...slog.Handler) *publish.Publisher {
	t.Helper()
	cfg := publish.Config{MaxInflightBytes: 1 << 28, Compression: compression}
	if len(log) > 0 {
		cfg.Log = slog.New(log[0])
	}
	pub, err := publish.New(p, cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); pub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return pub
}

// send publishes records as one request, and returns the outcome of each.
func send(pub *publish.Publisher, records []batchtest.Record, deadline time.Time) (errs []error) {
	r := pub.NewRequest()
	defer r.Release()
	for _, rec := range records {
		r.AddRun(pub.PartitionOf(rec.Key), batchtest.Run(rec), 1)
	}
	pub.Publish(r, deadline)
	r.Outcomes(func(n int, err error) {
		for range n {
			errs = append(errs, err)
		}
	})
	return errs
}

// encoderWith makes an encoder with a codec.
func encoderWith(t testing.TB, codec string) *recordbatch.Encoder {
	t.Helper()
	e, err := recordbatch.NewEncoder(codec)
	require.NoError(t, err)
	return e
}

// batchOf encodes records without a producer id.
func batchOf(t testing.TB, records ...batchtest.Record) []byte {
	t.Helper()
	e := encoderWith(t, "none")
	e.Encode([][]byte{batchtest.Run(records...)}, time.Now())
	return e.Seal(recordbatch.NoProducerID, -1)
}
