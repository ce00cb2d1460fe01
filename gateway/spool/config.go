package spool

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config says where a spool is and how much it takes.
type Config struct {
	// Dir is the directory. It is made if it is missing.
	Dir string
	// MaxBytes bounds the files, in bytes. The disk needs room for two files more, 16 MiB each.
	MaxBytes int64
	// MaxAge bounds how long the oldest entry outside the quarantine may have waited. While it has waited longer,
	// Append returns ErrOld.
	MaxAge time.Duration
	// Now is the wall clock; nil: the system's.
	Now func() time.Time
	// Uptime is the clock that ages go by: no change of the wall clock moves it. nil: the time since New.
	Uptime func() time.Duration

	Metrics Metrics      // a nil field is not counted
	Log     *slog.Logger // nil: nothing is logged
}

// Metrics is what a spool counts.
type Metrics struct {
	FsyncSeconds prometheus.Histogram   // time of one fsync
	Errors       *prometheus.CounterVec // failures by reason, one of Reasons
	Lost         prometheus.Counter     // events that were acknowledged and cannot be given back
}

// The reasons of Metrics.Errors.
const (
	reasonFull    = "full"    // ErrFull
	reasonOld     = "old"     // ErrOld
	reasonDisk    = "disk"    // any other error of Append
	reasonDamaged = "damaged" // a file could not be read to its end
	reasonLost    = "lost"    // files were deleted by somebody else
	reasonRefused = "refused" // an entry went into quarantine
)

// Reasons are all reasons of Metrics.Errors.
var Reasons = []string{reasonFull, reasonOld, reasonDisk, reasonDamaged, reasonLost, reasonRefused}

// fill gives the fields that are nil their defaults.
func (c *Config) fill() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Uptime == nil {
		start := time.Now()
		c.Uptime = func() time.Duration { return time.Since(start) }
	}
	if c.Metrics.FsyncSeconds == nil {
		c.Metrics.FsyncSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{})
	}
	if c.Metrics.Errors == nil {
		c.Metrics.Errors = prometheus.NewCounterVec(prometheus.CounterOpts{}, []string{"reason"})
	}
	if c.Metrics.Lost == nil {
		c.Metrics.Lost = prometheus.NewCounter(prometheus.CounterOpts{})
	}
}
