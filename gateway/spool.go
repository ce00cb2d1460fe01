package gateway

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
	errSpoolFull   = errors.New("the spool is full")
	errSpoolOld    = errors.New("the spool's oldest entry has waited for too long")
	errSpoolDisk   = errors.New("the spool could not be written")
	errSpoolGone   = errors.New("the spool's directory or its files are not where they were")
	errSpoolClosed = errors.New("the spool is closed")
)

// spool keeps on disk what Kafka does not take, in the order in which it came.
//
//	append ─▶ one group ─▶ write, fsync ─▶ active file ─▶ sealed files ─▶ take ─▶ Kafka ─▶ done: the file is removed
//
// The log itself is Pebble's, the one CockroachDB writes ahead with: checksummed blocks, and a reader that can tell the torn
// end of a log from damage within it. A file is written by one run of the process and never again after a failure of any
// kind: a full disk, a crash. Whatever such a failure left at its end is behind all that was acknowledged.
type spool struct {
	dir          string
	maxBytes     int64
	maxAge       time.Duration
	segmentBytes int64
	metrics      *metrics
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

func newSpool(dir string, maxBytes int64, maxAge time.Duration, m *metrics, log *slog.Logger, now func() time.Time) *spool {
	start := time.Now()
	return &spool{
		dir: dir, maxBytes: maxBytes, maxAge: maxAge, segmentBytes: min(spoolSegment, maxBytes/4),
		metrics: m, log: log, now: now, create: createSegment,
		uptime:   func() time.Duration { return time.Since(start) },
		requests: make(chan *spooling), closed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// open takes the directory and finds what an earlier run left in it.
func (s *spool) open() error {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return fmt.Errorf("--spool-dir: %w", err)
	}
	if err := s.place.take(s.dir); err != nil {
		return fmt.Errorf("--spool-dir %s: another gateway uses it, or it cannot be written: each gateway needs a directory of its own: %w", s.dir, err)
	}
	if err := s.recover(); err != nil {
		return errors.Join(fmt.Errorf("--spool-dir %s: %w", s.dir, err), s.place.leave())
	}
	f := s.figures()
	s.log.Info("spool opened", "dir", s.dir, "bytes", f.bytes, "events", f.events, "refused", f.refused)
	if f.events > 0 {
		s.poke()
	}
	return nil
}

// run writes until ctx ends. Whoever appends must have stopped by then.
func (s *spool) run(ctx context.Context) {
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

// close gives the directory back, after run and the last take.
func (s *spool) close() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.cursor.close()
	if s.place.gone != nil {
		f := s.figures()
		s.log.Error("gateway stops while its spool's directory is missing; what was answered 202 is only there",
			"dir", s.dir, "events", f.events, "err", s.place.gone)
	}
	return errors.Join(s.seal(), s.place.leave())
}

func (s *spool) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // a token is there already
	}
}

// figures are what waits in the spool.
type figures struct {
	bytes   int64 // on the disk
	events  int64 // all that wait
	refused int64 // of them, those that Kafka refuses
	// age is how long the oldest event has waited, turn the same without those that Kafka refuses. Never negative.
	age, turn time.Duration
}

func (s *spool) figures() figures {
	now := s.uptime()
	s.mu.Lock()
	defer s.mu.Unlock()
	var f figures
	add := func(seg *segment) {
		f.bytes += seg.size
		f.events += seg.events
		if seg.events > 0 {
			f.age = max(f.age, now-seg.since)
		}
	}
	for _, seg := range s.sealed {
		add(seg)
	}
	if s.active != nil {
		add(s.active)
	}
	f.turn = f.age
	for _, seg := range s.refused {
		add(seg)
		f.refused += seg.events
	}
	return f
}
