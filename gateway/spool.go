package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// spoolSegment is how large a file of the spool may become, roughly. Files are removed as a whole, so it is also what may be
	// sent again after a crash during replay.
	spoolSegment = 16 << 20
	// spoolGroup bounds what one fsync is waited for, in bytes.
	spoolGroup = 8 << 20
	// spoolRetry is how long the spool takes nothing after a write failed.
	spoolRetry = time.Second
	// spoolLock is the file that is locked while a gateway owns the directory.
	spoolLock = "LOCK"
)

var (
	errSpoolFull   = errors.New("the spool is full")
	errSpoolOld    = errors.New("the spool's oldest entry has waited for too long")
	errSpoolDisk   = errors.New("the spool could not be written")
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
	create       func(path string) (io.WriteCloser, error)

	lock     io.Closer
	requests chan *spooling
	closed   chan struct{}
	wake     chan struct{} // holds a token when there may be something to take

	write   sync.Mutex // held while the active file is written or sealed
	writer  *record.LogWriter
	number  uint64 // of the next file
	next    uint64 // sequence of the next entry
	before  uint64 // events of all entries so far
	retryAt time.Time
	failing bool // said

	mu     sync.Mutex // what the figures are made of; taken while write is held, never the other way round
	active *segment   // nil: none
	sealed []*segment // the oldest first

	cursor cursor
}

func newSpool(dir string, maxBytes int64, maxAge time.Duration, m *metrics, log *slog.Logger, now func() time.Time) *spool {
	return &spool{
		dir: dir, maxBytes: maxBytes, maxAge: maxAge, segmentBytes: min(spoolSegment, maxBytes/4),
		metrics: m, log: log, now: now, create: createSegment,
		requests: make(chan *spooling), closed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// open takes the directory and finds what an earlier run left in it.
func (s *spool) open() error {
	if err := os.MkdirAll(s.dir, 0o750); err != nil {
		return fmt.Errorf("--spool-dir: %w", err)
	}
	lock, err := vfs.Default.Lock(filepath.Join(s.dir, spoolLock))
	if err != nil {
		return fmt.Errorf("--spool-dir %s: another gateway uses it, or it cannot be written: each gateway needs a directory of its own: %w", s.dir, err)
	}
	s.lock = lock
	if err := s.recover(); err != nil {
		return errors.Join(fmt.Errorf("--spool-dir %s: %w", s.dir, err), lock.Close())
	}
	f := s.figures()
	s.log.Info("spool opened", "dir", s.dir, "bytes", f.bytes, "events", f.events)
	if f.events > 0 {
		s.poke()
	}
	return nil
}

// run writes until ctx ends. Whoever appends must have stopped by then.
func (s *spool) run(ctx context.Context) {
	defer close(s.closed)
	for {
		select {
		case first := <-s.requests:
			s.commit(s.gather(first))
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
	return errors.Join(s.seal(), s.lock.Close())
}

func (s *spool) poke() {
	select {
	case s.wake <- struct{}{}:
	default: // a token is there already
	}
}

// figures are what waits in the spool.
type figures struct {
	bytes  int64 // on the disk
	events int64
	oldest time.Time // zero: nothing waits
}

func (s *spool) figures() figures {
	s.mu.Lock()
	defer s.mu.Unlock()
	var f figures
	for _, seg := range append(s.sealed[:len(s.sealed):len(s.sealed)], s.active) {
		if seg == nil {
			continue
		}
		f.bytes += seg.size
		f.events += seg.events
		if f.oldest.IsZero() && seg.events > 0 {
			f.oldest = seg.oldest
		}
	}
	return f
}

// age is how long the oldest entry has waited.
func (f figures) age(now time.Time) time.Duration {
	if f.oldest.IsZero() {
		return 0
	}
	return max(0, now.Sub(f.oldest))
}
