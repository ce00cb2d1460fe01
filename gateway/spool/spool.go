package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// spoolSegment is how large a file of the spool may become, roughly. Files are removed as a whole, so it is also what may be
	// sent again after a crash during replay.
	spoolSegment = 16 << 20
	// spoolGroup bounds what one fsync is waited for, in bytes.
	spoolGroup = 8 << 20
	// spoolRetry is how long the spool takes nothing after a write failed.
	spoolRetry = time.Second
	// spoolLook is how often the directory is looked at while nothing is appended: a directory that is missing is said soon.
	spoolLook = time.Second
	// spoolLock is the file that is locked while a gateway owns the directory.
	spoolLock = "LOCK"
)

var (
	ErrFull        = errors.New("the spool is full")
	ErrOld         = errors.New("the spool's oldest entry has waited for too long")
	ErrSpoolDisk   = errors.New("the spool could not be written")
	ErrGone        = errors.New("the spool's directory or its files are not where they were")
	ErrSpoolClosed = errors.New("the spool is closed")
)

// Config says where a spool is and how much it takes.
type Config struct {
	Dir      string
	MaxBytes int64                // on the disk
	MaxAge   time.Duration        // of the oldest entry that is not quarantined; while it is older nothing more is taken
	Metrics  Metrics              // what is missing is not counted
	Log      *slog.Logger         // nil: nothing is logged
	Now      func() time.Time     // the wall clock; nil: the system's
	Uptime   func() time.Duration // the clock that ages go by, which no change of the wall clock moves; nil: the process's
}

// Metrics is what a spool counts.
type Metrics struct {
	FsyncSeconds prometheus.Histogram   // time of one fsync
	Errors       *prometheus.CounterVec // by reason, one of SpoolReasons
	Lost         prometheus.Counter     // events that were acknowledged and cannot be given back
}

// fill makes what is missing: a spool that nobody watches counts all the same.
func (m *Metrics) fill() {
	if m.FsyncSeconds == nil {
		m.FsyncSeconds = prometheus.NewHistogram(prometheus.HistogramOpts{})
	}
	if m.Errors == nil {
		m.Errors = prometheus.NewCounterVec(prometheus.CounterOpts{}, []string{"reason"})
	}
	if m.Lost == nil {
		m.Lost = prometheus.NewCounter(prometheus.CounterOpts{})
	}
}

// Spool keeps entries on disk, in the order in which they came.
//
//	Append ─▶ one group ─▶ write, fsync ─▶ active file ─▶ sealed files ─▶ Take ─▶ Kafka ─▶ Done: the file is removed
//
// The log itself is Pebble's, the one CockroachDB writes ahead with: checksummed blocks, and a reader that can tell the torn
// end of a log from damage within it. A file is written by one run of the process and never again after a failure of any
// kind: a full disk, a crash. Whatever such a failure left at its end is behind all that was acknowledged.
type Spool struct {
	dir          string
	maxBytes     int64
	maxAge       time.Duration
	segmentBytes int64
	metrics      Metrics
	log          *slog.Logger
	now          func() time.Time
	uptime       func() time.Duration // the clock that ages go by: no change of the wall clock moves it
	create       func(path string) (io.WriteCloser, error)

	place    place
	requests chan *spooling
	closed   chan struct{}
	wake     chan struct{} // holds a token when there may be something to take

	write   sync.Mutex // held while the active file is written or sealed
	writer  *record.LogWriter
	file    io.WriteCloser // what the writer writes to
	number  uint64         // of the next file
	next    uint64         // sequence of the next entry
	before  uint64         // events of all entries so far
	retryAt time.Duration  // on the spool's own clock
	failing bool           // said

	mu      sync.Mutex // what the figures are made of; taken while write is held, never the other way round
	active  *segment   // nil: none
	sealed  []*segment // the oldest first
	refused []*segment // kept aside because Kafka refuses them, the oldest first; see spool_refused.go

	cursor cursor
}

// New makes a spool. It opens nothing.
func New(cfg Config) *Spool {
	s := &Spool{
		dir: cfg.Dir, maxBytes: cfg.MaxBytes, maxAge: cfg.MaxAge, segmentBytes: min(spoolSegment, cfg.MaxBytes/4),
		metrics: cfg.Metrics, log: cfg.Log, now: cfg.Now, uptime: cfg.Uptime, create: createSegment,
		requests: make(chan *spooling), closed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.metrics.fill()
	if s.now == nil {
		s.now = time.Now
	}
	if s.uptime == nil {
		start := time.Now()
		s.uptime = func() time.Duration { return time.Since(start) }
	}
	return s
}

// Open takes the directory and finds what an earlier run left in it.
func (s *Spool) Open() error {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return fmt.Errorf("--spool-dir: %w", err)
	}
	if err := s.place.take(s.dir); err != nil {
		return fmt.Errorf("--spool-dir %s: another gateway uses it, or it cannot be written: each gateway needs a directory of its own: %w", s.dir, err)
	}
	if err := s.recover(); err != nil {
		return errors.Join(fmt.Errorf("--spool-dir %s: %w", s.dir, err), s.place.leave())
	}
	f := s.Stats()
	s.log.Info("spool opened", "dir", s.dir, "bytes", f.Bytes, "events", f.Events, "refused", f.Refused)
	if f.Events > 0 {
		s.poke()
	}
	return nil
}

// Run writes until ctx ends. Whoever appends must have stopped by then.
func (s *Spool) Run(ctx context.Context) {
	defer close(s.closed)
	look := time.NewTicker(spoolLook)
	defer look.Stop()
	for {
		select {
		case first := <-s.requests:
			s.commit(s.gather(first))
		case <-look.C:
			s.look()
		case <-ctx.Done():
			return
		}
	}
}

// Close gives the directory back, after Run and the last Take.
func (s *Spool) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.cursor.close()
	if s.place.gone != nil {
		f := s.Stats()
		s.log.Error("gateway stops while its spool's directory is missing; what was answered 202 is only there",
			"dir", s.dir, "events", f.Events, "err", s.place.gone)
	}
	return errors.Join(s.seal(), s.place.leave())
}

func (s *Spool) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // a token is there already
	}
}

// Ready has a token when there may be something to take.
func (s *Spool) Ready() <-chan struct{} { return s.wake }

// Stats are what waits in the spool.
type Stats struct {
	Bytes   int64         // on the disk
	Events  int64         // all that wait
	Refused int64         // of them, those in quarantine
	Age     time.Duration // how long the oldest event has waited, never negative

	turn time.Duration // the same without the quarantine
}

// Stats returns what waits in the spool now.
func (s *Spool) Stats() Stats {
	now := s.uptime()
	s.mu.Lock()
	defer s.mu.Unlock()
	var f Stats
	add := func(seg *segment) {
		f.Bytes += seg.size
		f.Events += seg.events
		if seg.events > 0 {
			f.Age = max(f.Age, now-seg.since)
		}
	}
	for _, seg := range s.sealed {
		add(seg)
	}
	if s.active != nil {
		add(s.active)
	}
	f.turn = f.Age
	for _, seg := range s.refused {
		add(seg)
		f.Refused += seg.events
	}
	return f
}
