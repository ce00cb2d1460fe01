package publish

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/internal/recordbatch/batchtest"
)

// publisherFor makes a publisher that does not run.
func publisherFor(t testing.TB, p broker.Producer, edit ...func(*Config)) *Publisher {
	t.Helper()
	cfg := Config{MaxInflightBytes: 1 << 20, MaxEventBytes: 1 << 20, RequestTimeout: 10 * time.Second}
	for _, f := range edit {
		f(&cfg)
	}
	pub, err := New(p, cfg)
	require.NoError(t, err)
	return pub
}

func inflightBytes(n int64) func(*Config) {
	return func(c *Config) { c.MaxInflightBytes = n }
}

func loggedTo(h slog.Handler) func(*Config) {
	return func(c *Config) { c.Log = slog.New(h) }
}

// publishing runs a publisher over p until the test ends.
func publishing(t testing.TB, p broker.Producer, edit ...func(*Config)) *Publisher {
	t.Helper()
	pub := publisherFor(t, p, edit...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); pub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	eventually(t, func() bool { return pub.Partitions() > 0 })
	return pub
}

// eventually waits for a condition, not for a time.
func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 2*time.Millisecond)
}

// requestOf makes a request of records for the partitions of their keys.
func requestOf(pub *Publisher, records []batchtest.Record) *Request {
	r := pub.NewRequest()
	for _, rec := range records {
		r.AddRun(pub.PartitionOf(rec.Key), batchtest.Run(rec), 1)
	}
	return r
}

// publish publishes records as one request, and returns the outcome of each.
func publish(pub *Publisher, records []batchtest.Record, deadline time.Time) (errs []error) {
	r := requestOf(pub, records)
	defer r.Release()
	pub.Publish(r, deadline)
	r.Outcomes(func(n int, err error) {
		for range n {
			errs = append(errs, err)
		}
	})
	return errs
}

// soon is a deadline that no test reaches.
func soon() time.Time { return time.Now().Add(10 * time.Second) }

// publishOne publishes one record, and waits for its outcome for at most wait.
func publishOne(pub *Publisher, wait time.Duration) error {
	return publish(pub, batchtest.Plain(1, 10), time.Now().Add(wait))[0]
}
