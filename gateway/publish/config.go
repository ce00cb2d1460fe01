package publish

import (
	"cmp"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/spool"
)

const (
	// maxBatchBytes and maxBatchRecords bound a produce request. The topic takes 2 MiB.
	maxBatchBytes   = 1900 << 10
	maxBatchRecords = 20_000
	// AttemptTimeout bounds one produce request, so that a dead broker is noticed well within a request's deadline.
	AttemptTimeout = 5 * time.Second
	// stuckAfter is how long a lane works on one batch before a successor takes over its work. A produce request takes
	// some milliseconds, and some hundreds with a busy disk. A successor for a slow batch does no harm.
	stuckAfter = 500 * time.Millisecond
	// retryRefused is how often the quarantine is sent again, besides at the start and when the topic's settings
	// change.
	retryRefused = time.Minute
	// firstBackoff and lastBackoff bound the pauses between two attempts. lastBackoff is short, so that a lane notices
	// soon that Kafka is back.
	firstBackoff = 20 * time.Millisecond
	lastBackoff  = 400 * time.Millisecond
)

// Config says how a publisher works.
type Config struct {
	// MaxInflightBytes bounds the bytes of records that wait for Kafka.
	MaxInflightBytes int64
	// MaxEventBytes is the largest event that a request may bring, in bytes. The publisher logs topic settings that
	// refuse it.
	MaxEventBytes int
	// MaxQueueWait bounds how long records may wait at Kafka's current pace before the publisher is congested; 0: no
	// bound. Half of RequestTimeout is the most.
	MaxQueueWait time.Duration
	// RequestTimeout is how long a request waits for an answer.
	RequestTimeout time.Duration
	// Compression is the codec of the batches: none, lz4, zstd, snappy or gzip.
	Compression string
	// Spool takes the records that Kafka does not take; nil: requests wait for Kafka. The caller opens it and runs it,
	// and stops it after the publisher.
	Spool *spool.Spool
	// StuckAfter is how long a lane works on one batch before another lane takes over its work; 0: half a second.
	StuckAfter time.Duration
	// RetryRefused is how often the spool's quarantine is sent again; 0: once a minute.
	RetryRefused time.Duration

	Metrics Metrics      // a nil field is not counted
	Log     *slog.Logger // nil: nothing is logged
}

// Metrics is what a publisher counts.
type Metrics struct {
	ProduceSeconds prometheus.Observer    // time of one produce request
	Errors         *prometheus.CounterVec // requests to Kafka that failed, by reason, one of broker.Reasons
	Overloads      prometheus.Counter     // chunks of requests that MaxInflightBytes turned away
}

// fill gives the fields that are 0 or nil their defaults.
func (c *Config) fill() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics.ProduceSeconds == nil {
		c.Metrics.ProduceSeconds = prometheus.ObserverFunc(func(float64) {})
	}
	if c.Metrics.Errors == nil {
		c.Metrics.Errors = prometheus.NewCounterVec(prometheus.CounterOpts{}, []string{"reason"})
	}
	if c.Metrics.Overloads == nil {
		c.Metrics.Overloads = prometheus.NewCounter(prometheus.CounterOpts{})
	}
	c.StuckAfter = cmp.Or(c.StuckAfter, stuckAfter)
	c.RetryRefused = cmp.Or(c.RetryRefused, retryRefused)
}
