package publish

import (
	"cmp"
	"log/slog"
	"sluice/gateway/spool"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says how a publisher works.
type Config struct {
	// MaxInflightBytes bounds the bytes of records that wait for Kafka.
	MaxInflightBytes int64
	// MaxEventBytes is the largest event that a request may bring. The topic's settings are held against it.
	MaxEventBytes int
	// MaxQueueWait bounds how long records may wait at Kafka's pace of the moment before the publisher is congested; 0: no
	// bound. Half of RequestTimeout at most.
	MaxQueueWait time.Duration
	// RequestTimeout is how long a request waits for an answer.
	RequestTimeout time.Duration
	// Compression is the codec of the batches: none, lz4, zstd, snappy or gzip.
	Compression string
	// Spool takes what Kafka does not; nil: requests wait for Kafka. Whoever made it runs it, for longer than the publisher.
	Spool *spool.Spool
	// StuckAfter is how long a lane works on one batch before another takes over its work; 0: half a second.
	StuckAfter time.Duration
	// RetryRefused is how often what Kafka refuses is tried again; 0: once a minute.
	RetryRefused time.Duration

	Metrics Metrics      // what is missing is not counted
	Log     *slog.Logger // nil: nothing is logged
}

// Metrics is what a publisher counts.
type Metrics struct {
	ProduceSeconds prometheus.Observer    // time of one produce request
	Errors         *prometheus.CounterVec // requests to Kafka that failed, by reason, one of Reasons
	Overloads      prometheus.Counter     // requests turned away by MaxInflightBytes
}

// fill makes what is missing: a publisher that nobody watches counts all the same.
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
	c.RetryRefused = cmp.Or(c.RetryRefused, refusedAgain)
}
