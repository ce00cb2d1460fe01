package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/prometheus/client_golang/prometheus"
)

// pendingEntry is an entry on its way to the disk.
type pendingEntry struct {
	entry   Entry
	encoded []byte
	done    chan struct{}
	err     error // set before done is closed
}

func (p *pendingEntry) finish(err error) {
	p.err = err
	close(p.done)
}

// Append returns nil when the entry is on the disk, written and fsynced. Entries that come at the same time share an
// fsync. After any error the entry may be on the disk all the same. An entry without a time was accepted now. Append
// blocks until Run takes the entry.
func (s *Spool) Append(e Entry) error {
	if e.AcceptedAt.IsZero() {
		e.AcceptedAt = s.cfg.Now()
	}
	p := &pendingEntry{entry: e, encoded: e.encode(), done: make(chan struct{})}
	select {
	case s.appends <- p:
	case <-s.closed:
		return ErrClosed
	}
	<-p.done
	if p.err != nil {
		s.countError(reasonOf(p.err))
	}
	return p.err
}

func reasonOf(err error) string {
	switch {
	case errors.Is(err, ErrFull):
		return reasonFull
	case errors.Is(err, ErrOld):
		return reasonOld
	default:
		return reasonDisk
	}
}

func (s *Spool) countError(reason string) { s.cfg.Metrics.Errors.WithLabelValues(reason).Inc() }

// gather adds to first the entries that wait already, up to groupMost bytes.
func (s *Spool) gather(first *pendingEntry) []*pendingEntry {
	group, bytes := []*pendingEntry{first}, len(first.encoded)
	for bytes < groupMost {
		select {
		case p := <-s.appends:
			group = append(group, p)
			bytes += len(p.encoded)
		default:
			return group
		}
	}
	return group
}

// commit writes a group and finishes each of its entries.
func (s *Spool) commit(group []*pendingEntry) {
	s.write.Lock()
	defer s.write.Unlock()
	f, now := s.Stats(), s.cfg.Uptime()
	taken := group[:0]
	for _, p := range group {
		size := sizeOnDisk(len(p.encoded))
		switch {
		case now < s.retryAt || s.directory.missing != nil:
			p.finish(ErrDisk)
		case f.Bytes+size > s.cfg.MaxBytes:
			p.finish(ErrFull)
		case f.queueAge > s.cfg.MaxAge:
			p.finish(ErrOld)
		default:
			f.Bytes += size
			taken = append(taken, p)
		}
	}
	if len(taken) == 0 {
		return
	}
	err := s.store(taken)
	if err != nil {
		s.writeFailed(err)
		err = fmt.Errorf("%w: %w", ErrDisk, err)
	} else if s.failing {
		s.failing = false
		s.log.Info("spool can be written again")
	}
	if err == nil && f.Events == f.Refused {
		s.log.Warn("kafka takes no events; they go to the spool")
	}
	for _, p := range taken {
		p.finish(err)
	}
	s.signalReady()
}

// sizeOnDisk returns at most how many bytes an encoded entry of n bytes takes in a file: the log cuts it into blocks of
// 32 KiB and puts 19 bytes before each piece.
func sizeOnDisk(n int) int64 { return int64(n) + 19*int64(n/(32<<10)+2) + 19 }

// store writes the group and waits for one fsync.
func (s *Spool) store(group []*pendingEntry) error {
	if s.active != nil && s.active.size >= s.segmentBytes {
		_ = s.seal() // all entries that were acknowledged in it have been fsynced
	}
	if s.active == nil {
		if err := s.beginSegment(); err != nil {
			return err
		}
	} else if err := s.checkNotTruncated(); err != nil {
		return err
	}
	next, before, err := s.writeGroup(group)
	if err != nil {
		return err
	}
	written, err := s.checkInPlace()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.active
	if seg.written = written; seg.entries == 0 {
		seg.setFirst(&group[0].entry, s.cfg.Uptime())
	}
	seg.lastAt = s.cfg.Uptime()
	seg.entries += int64(len(group))
	seg.events += int64(before - s.before)
	seg.size = s.writer.Size()
	s.next, s.before = next, before
	return nil
}

// writeGroup writes the group to the active file, fsyncs it, and returns the counters of the entry after it.
func (s *Spool) writeGroup(group []*pendingEntry) (next, before uint64, err error) {
	next, before = s.next, s.before
	var synced sync.WaitGroup
	var syncErr error
	for i, p := range group {
		setCounters(p.encoded, next, before)
		next++
		before += uint64(p.entry.Count)
		if i < len(group)-1 {
			if _, err := s.writer.WriteRecord(p.encoded); err != nil {
				return 0, 0, err
			}
			continue
		}
		synced.Add(1)
		if _, err := s.writer.SyncRecord(p.encoded, &synced, &syncErr); err != nil {
			return 0, 0, err
		}
	}
	synced.Wait()
	return next, before, syncErr
}

// beginSegment starts a file. The directory's entry for the file is fsynced before anything in the file is
// acknowledged.
func (s *Spool) beginSegment() error {
	seg := newSegment(s.cfg.Dir, s.number)
	seg.first, seg.before = s.next, s.before
	file, err := s.create(seg.path)
	if err != nil {
		return err
	}
	if err := syncDir(s.cfg.Dir); err != nil {
		return errors.Join(err, file.Close(), removeSegment(seg))
	}
	seg.info, _ = os.Lstat(seg.path)
	s.number++
	s.file = file
	s.writer = record.NewLogWriter(file, logNumber, record.LogWriterConfig{
		WALFsyncLatency: inSeconds{s.cfg.Metrics.FsyncSeconds},
		// The offsets let the reader tell damage from a torn end.
		WriteWALSyncOffsets: func() bool { return true },
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = seg
	return nil
}

// seal ends the active file, so that it can be read. A file without an acknowledged entry is removed.
func (s *Spool) seal() error {
	if s.active == nil {
		return nil
	}
	err := s.writer.Close()
	s.writer, s.file = nil, nil
	s.mu.Lock()
	seg := s.active
	s.active = nil
	if seg.entries > 0 {
		seg.measure()
		s.sealed = append(s.sealed, seg)
	}
	s.mu.Unlock()
	if seg.entries == 0 {
		err = errors.Join(err, removeSegment(seg))
	}
	return err
}

// writeFailed seals the file in which a write failed. The next file goes on after the last entry that was acknowledged.
func (s *Spool) writeFailed(err error) {
	s.retryAt = s.cfg.Uptime() + retryAfter
	if !s.failing {
		s.failing = true
		s.log.Error("spool cannot be written", "err", err, "retry", retryAfter)
	}
	_ = s.seal() // it returns the same error again
	s.examine()
}

// inSeconds is a histogram of seconds for a library that counts in nanoseconds.
type inSeconds struct{ prometheus.Histogram }

// Observe is part of prometheus.Histogram.
func (h inSeconds) Observe(ns float64) { h.Histogram.Observe(ns / 1e9) }

// checkNotTruncated returns ErrGone if somebody truncated the active file. A group that was written behind the cut
// would follow a hole where acknowledged entries were.
func (s *Spool) checkNotTruncated() error {
	file, ok := s.file.(interface{ Stat() (os.FileInfo, error) })
	if !ok {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < s.active.written {
		return fmt.Errorf("%w: %s has %d bytes of %d", ErrGone, s.active.path, info.Size(), s.active.written)
	}
	return nil
}

// checkInPlace returns the size of the active file, which was just written and fsynced, or ErrGone if its path leads
// elsewhere. It costs two system calls for each fsync.
func (s *Spool) checkInPlace() (size int64, err error) {
	at, err := os.Lstat(s.active.path)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrGone, err)
	}
	if file, ok := s.file.(interface{ Stat() (os.FileInfo, error) }); ok {
		info, err := file.Stat()
		if err != nil {
			return 0, err
		}
		if !os.SameFile(info, at) {
			return 0, fmt.Errorf("%w: %s is another file", ErrGone, s.active.path)
		}
	}
	if at.Size() < s.active.written {
		return 0, fmt.Errorf("%w: %s has %d bytes of %d", ErrGone, s.active.path, at.Size(), s.active.written)
	}
	return at.Size(), nil
}
