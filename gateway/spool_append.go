package gateway

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
)

// spooling is an entry on its way to the disk.
type spooling struct {
	entry   *entry
	encoded []byte
	done    chan struct{}
	err     error // set before done is closed
}

func (r *spooling) finish(err error) {
	r.err = err
	close(r.done)
}

// append returns nil when the entry is on the disk: written and fsynced, together with whatever else came meanwhile. After any
// error it may be there all the same, as an event may be on the topic after a 503.
func (s *spool) append(e *entry) error {
	r := &spooling{entry: e, encoded: e.encode(), done: make(chan struct{})}
	select {
	case s.requests <- r:
	case <-s.closed:
		return errSpoolClosed
	}
	<-r.done
	if r.err != nil {
		s.metrics.spoolErrors.WithLabelValues(spoolReason(r.err)).Inc()
	}
	return r.err
}

// gather takes those who wait already.
func (s *spool) gather(first *spooling) []*spooling {
	group, bytes := []*spooling{first}, len(first.encoded)
	for bytes < spoolGroup {
		select {
		case r := <-s.requests:
			group = append(group, r)
			bytes += len(r.encoded)
		default:
			return group
		}
	}
	return group
}

// commit writes a group and answers each of it.
func (s *spool) commit(group []*spooling) {
	s.write.Lock()
	defer s.write.Unlock()
	f, now := s.figures(), s.now()
	taken := group[:0]
	for _, r := range group {
		size := spooledSize(len(r.encoded))
		switch {
		case now.Before(s.retryAt):
			r.finish(errSpoolDisk)
		case f.bytes+size > s.maxBytes:
			r.finish(errSpoolFull)
		case f.age(now) > s.maxAge:
			r.finish(errSpoolOld)
		default:
			f.bytes += size
			taken = append(taken, r)
		}
	}
	if len(taken) == 0 {
		return
	}
	err := s.store(taken)
	if err != nil {
		s.failed(err)
		err = fmt.Errorf("%w: %w", errSpoolDisk, err)
	} else if s.failing {
		s.failing = false
		s.log.Info("spool can be written again")
	}
	if err == nil && f.oldest.IsZero() {
		s.log.Warn("kafka does not take events, they go to the spool")
	}
	for _, r := range taken {
		r.finish(err)
	}
	s.poke()
}

// spooledSize is what an entry takes on the disk at most: the log cuts it into blocks of 32 KiB and puts 19 bytes before each
// piece.
func spooledSize(n int) int64 { return int64(n) + 19*int64(n/(32<<10)+2) + 19 }

// store writes the group and waits for one fsync.
func (s *spool) store(group []*spooling) error {
	if s.active != nil && s.active.size >= s.segmentBytes {
		_ = s.seal() // what was acknowledged in it has been fsynced
	}
	if s.active == nil {
		if err := s.begin(); err != nil {
			return err
		}
	}
	next, before := s.next, s.before
	var synced sync.WaitGroup
	var syncErr error
	for i, r := range group {
		stampEntry(r.encoded, next, before)
		next++
		before += uint64(r.entry.count)
		if i < len(group)-1 {
			if _, err := s.writer.WriteRecord(r.encoded); err != nil {
				return err
			}
			continue
		}
		synced.Add(1)
		if _, err := s.writer.SyncRecord(r.encoded, &synced, &syncErr); err != nil {
			return err
		}
	}
	synced.Wait()
	if syncErr != nil {
		return syncErr
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.active
	if seg.entries == 0 {
		seg.oldest = group[0].entry.acceptedAt
	}
	seg.entries += int64(len(group))
	seg.events += int64(before - s.before)
	seg.size = s.writer.Size()
	s.next, s.before = next, before
	return nil
}

// begin starts a file. It is in the directory for certain before anything in it is acknowledged.
func (s *spool) begin() error {
	seg := s.segment(s.number)
	seg.first, seg.before = s.next, s.before
	file, err := s.create(seg.path)
	if err != nil {
		return err
	}
	if err := syncDir(s.dir); err != nil {
		return errors.Join(err, file.Close(), removeSegment(seg))
	}
	s.number++
	s.writer = record.NewLogWriter(file, logNumber, record.LogWriterConfig{
		WALFsyncLatency: inSeconds{s.metrics.spoolFsync},
		// They tell damage from a torn end.
		WriteWALSyncOffsets: func() bool { return true },
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = seg
	return nil
}

// seal ends the active file, so that it can be read.
func (s *spool) seal() error {
	if s.active == nil {
		return nil
	}
	err := s.writer.Close()
	s.writer = nil
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

// failed leaves the file behind in which a write failed. The next one goes on where what was acknowledged ends.
func (s *spool) failed(err error) {
	s.retryAt = s.now().Add(spoolRetry)
	if !s.failing {
		s.failing = true
		s.log.Error("spool cannot be written", "err", err, "retry", spoolRetry)
	}
	_ = s.seal() // it says the same again
}

// inSeconds is a histogram of seconds for a library that counts in nanoseconds.
type inSeconds struct{ prometheus.Histogram }

// Observe is part of prometheus.Histogram.
func (h inSeconds) Observe(ns float64) { h.Histogram.Observe(ns / 1e9) }

func spoolReason(err error) string {
	switch {
	case errors.Is(err, errSpoolFull):
		return "full"
	case errors.Is(err, errSpoolOld):
		return "old"
	default:
		return "disk"
	}
}

// syncDir makes a directory's entries as durable as its files are.
func syncDir(dir string) error {
	d, err := vfs.Default.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
