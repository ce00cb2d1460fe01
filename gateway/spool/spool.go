package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/record"
)

const (
	// segmentMost is roughly how large a file of the spool may become, in bytes. Files are removed as a whole, so it is
	// also how much may be sent again after a crash during replay.
	segmentMost = 16 << 20
	// groupMost bounds the bytes that one fsync covers.
	groupMost = 8 << 20
	// retryAfter is how long the spool refuses entries after a write failed.
	retryAfter = time.Second
	// inspectEvery is how often the directory is inspected, so that a missing directory is noticed while nothing is
	// appended.
	inspectEvery = time.Second
)

// The marks of errors of Append and Take, for errors.Is. After any error of Append the entry may be on the disk all the
// same.
var (
	// ErrFull marks an entry that would make the spool larger than Config.MaxBytes.
	ErrFull = errors.New("the spool is full")
	// ErrOld marks an entry that came while the oldest has waited for longer than Config.MaxAge.
	ErrOld = errors.New("the spool's oldest entry has waited for too long")
	// ErrDisk marks a write that failed, or that was not tried because one failed less than a second ago.
	ErrDisk = errors.New("the spool could not be written")
	// ErrGone marks a read or a write of files that were moved, deleted or truncated by somebody else. The spool has
	// logged it.
	ErrGone = errors.New("the spool's directory or its files are not where they were")
	// ErrClosed marks an entry that came after Run had ended.
	ErrClosed = errors.New("the spool is closed")
)

// Spool keeps entries on disk.
//
//	Append ─▶ one group ─▶ write, fsync ─▶ active file ─▶ sealed files ─▶ Take ─▶ Kafka ─▶ Done: the file is removed
//
// The log itself is Pebble's, CockroachDB's write-ahead log: checksummed blocks, and a reader that tells the torn end
// of a log from damage within it. One run of the process writes each file. After any failure it writes nothing more to that file.
// Whatever the failure left at the end of the file lies behind all that was acknowledged.
//
// Append, Quarantine and Stats may be called concurrently. Take, TakeMore, Done, Quarantined and Release belong to one
// goroutine.
type Spool struct {
	cfg          Config
	log          *slog.Logger
	segmentBytes int64
	create       func(path string) (io.WriteCloser, error)

	directory directory
	opened    atomic.Bool // Open has found what an earlier run left
	appends   chan *pendingEntry
	closed    chan struct{}
	ready     chan struct{} // holds a token when there may be something to take

	write sync.Mutex // held while the active file is written or sealed
	tail

	mu          sync.Mutex // guards what follows and the segments; taken while write is held, never the other way round
	active      *segment   // the file that is being written; nil: none
	sealed      []*segment // the oldest first
	quarantined []*segment // the oldest first

	cursor cursor
}

// tail is where the spool writes.
type tail struct {
	writer  *record.LogWriter
	file    io.WriteCloser // what the writer writes to
	number  uint64         // of the next file
	next    uint64         // sequence of the next entry
	before  uint64         // events of all entries so far
	retryAt time.Duration  // by Config.Uptime
	failing bool           // the failure has been logged
}

// New makes a spool. It opens nothing.
func New(cfg Config) *Spool {
	cfg.fill()
	return &Spool{
		cfg: cfg, log: cfg.Log, segmentBytes: min(segmentMost, cfg.MaxBytes/4), create: createSegment,
		appends: make(chan *pendingEntry), closed: make(chan struct{}), ready: make(chan struct{}, 1),
	}
}

// Open makes the directory if it is missing, locks it, and finds what an earlier run left in it. The error names the
// setting --spool-dir.
func (s *Spool) Open() error {
	dir := s.cfg.Dir
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("--spool-dir: %w", err)
	}
	if err := s.directory.acquire(dir); err != nil {
		return fmt.Errorf("--spool-dir %s: another gateway uses it, or it cannot be written; "+
			"each gateway needs its own directory: %w", dir, err)
	}
	if err := s.recover(); err != nil {
		return errors.Join(fmt.Errorf("--spool-dir %s: %w", dir, err), s.directory.release())
	}
	s.opened.Store(true)
	f := s.Stats()
	s.log.Info("spool opened", "dir", dir, "bytes", f.Bytes, "events", f.Events, "refused", f.Refused)
	if f.Events > 0 {
		s.signalReady()
	}
	return nil
}

// Run writes what is appended until ctx ends. Callers of Append must have stopped by then.
func (s *Spool) Run(ctx context.Context) {
	defer close(s.closed)
	inspect := time.NewTicker(inspectEvery)
	defer inspect.Stop()
	for {
		select {
		case first := <-s.appends:
			s.commit(s.gather(first))
		case <-inspect.C:
			s.inspectDirectory()
		case <-ctx.Done():
			return
		}
	}
}

// Close seals the active file and unlocks the directory. It comes after Run and the last Take.
func (s *Spool) Close() error {
	s.write.Lock()
	defer s.write.Unlock()
	s.cursor.close()
	if s.directory.missing != nil {
		s.log.Error("gateway stops while its spool directory is missing; it holds events that were answered 202",
			"dir", s.cfg.Dir, "events", s.Stats().Events, "err", s.directory.missing)
	}
	return errors.Join(s.seal(), s.directory.release())
}

// Ready has a token when there may be something to take.
func (s *Spool) Ready() <-chan struct{} { return s.ready }

func (s *Spool) signalReady() {
	select {
	case s.ready <- struct{}{}:
	default: // it has a token
	}
}

// Stats are what waits in the spool.
type Stats struct {
	Bytes   int64         // on the disk
	Events  int64         // all that wait
	Refused int64         // those of Events that are in quarantine
	Age     time.Duration // how long the oldest event has waited, never negative

	queueAge time.Duration // Age without the quarantine
}

// Stats returns what waits in the spool now: nothing until Open has returned.
func (s *Spool) Stats() Stats {
	if !s.opened.Load() {
		return Stats{} // Open counts without a lock
	}
	now := s.cfg.Uptime()
	s.mu.Lock()
	defer s.mu.Unlock()
	var f Stats
	add := func(seg *segment) {
		f.Bytes += seg.size
		f.Events += seg.events
		if seg.events > 0 {
			f.Age = max(f.Age, now-seg.oldestAt)
		}
	}
	for _, seg := range s.sealed {
		add(seg)
	}
	if s.active != nil {
		add(s.active)
	}
	f.queueAge = f.Age
	for _, seg := range s.quarantined {
		add(seg)
		f.Refused += seg.events
	}
	return f
}
