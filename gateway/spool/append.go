package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
)

// spooling is an entry on its way to the disk.
type spooling struct {
	entry   Entry
	encoded []byte
	done    chan struct{}
	err     error // set before done is closed
}

func (r *spooling) finish(err error) {
	r.err = err
	close(r.done)
}

// Append returns nil when the entry is on the disk: written and fsynced, together with whatever else came meanwhile. After any
// error it may be there all the same, as an event may be on the topic after a 503. Without a time it was accepted now. It may be
// called concurrently; without Run it blocks.
func (s *Spool) Append(e Entry) error {
	if e.AcceptedAt.IsZero() {
		e.AcceptedAt = s.now()
	}
	r := &spooling{entry: e, encoded: e.encode(), done: make(chan struct{})}
	select {
	case s.requests <- r:
	case <-s.closed:
		return ErrSpoolClosed
	}
	<-r.done
	if r.err != nil {
		s.metrics.Errors.WithLabelValues(spoolReason(r.err)).Inc()
	}
	return r.err
}

// gather takes those who wait already.
func (s *Spool) gather(first *spooling) []*spooling {
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
func (s *Spool) commit(group []*spooling) {
	s.write.Lock()
	defer s.write.Unlock()
	f, now := s.Stats(), s.uptime()
	taken := group[:0]
	for _, r := range group {
		size := spooledSize(len(r.encoded))
		switch {
		case now < s.retryAt || s.place.gone != nil:
			r.finish(ErrSpoolDisk)
		case f.Bytes+size > s.maxBytes:
			r.finish(ErrFull)
		case f.turn > s.maxAge:
			r.finish(ErrOld)
		default:
			f.Bytes += size
			taken = append(taken, r)
		}
	}
	if len(taken) == 0 {
		return
	}
	err := s.store(taken)
	if err != nil {
		s.failed(err)
		err = fmt.Errorf("%w: %w", ErrSpoolDisk, err)
	} else if s.failing {
		s.failing = false
		s.log.Info("spool can be written again")
	}
	if err == nil && f.Events == f.Refused {
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
func (s *Spool) store(group []*spooling) error {
	if s.active != nil && s.active.size >= s.segmentBytes {
		_ = s.seal() // what was acknowledged in it has been fsynced
	}
	if s.active == nil {
		if err := s.begin(); err != nil {
			return err
		}
	} else if err := s.untouched(); err != nil {
		return err
	}
	next, before := s.next, s.before
	var synced sync.WaitGroup
	var syncErr error
	for i, r := range group {
		stampEntry(r.encoded, next, before)
		next++
		before += uint64(r.entry.Count)
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
	written, err := s.inPlace()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	seg := s.active
	if seg.written = written; seg.entries == 0 {
		seg.start(&group[0].entry, s.uptime())
	}
	seg.until = s.uptime()
	seg.entries += int64(len(group))
	seg.events += int64(before - s.before)
	seg.size = s.writer.Size()
	s.next, s.before = next, before
	return nil
}

// begin starts a file. It is in the directory for certain before anything in it is acknowledged.
func (s *Spool) begin() error {
	seg := s.segment(s.number)
	seg.first, seg.before = s.next, s.before
	file, err := s.create(seg.path)
	if err != nil {
		return err
	}
	if err := syncDir(s.dir); err != nil {
		return errors.Join(err, file.Close(), removeSegment(seg))
	}
	seg.info, _ = os.Lstat(seg.path)
	s.number++
	s.file = file
	s.writer = record.NewLogWriter(file, logNumber, record.LogWriterConfig{
		WALFsyncLatency: inSeconds{s.metrics.FsyncSeconds},
		// They tell damage from a torn end.
		WriteWALSyncOffsets: func() bool { return true },
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = seg
	return nil
}

// seal ends the active file, so that it can be read.
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

// failed leaves the file behind in which a write failed. The next one goes on where what was acknowledged ends.
func (s *Spool) failed(err error) {
	s.retryAt = s.uptime() + spoolRetry
	if !s.failing {
		s.failing = true
		s.log.Error("spool cannot be written", "err", err, "retry", spoolRetry)
	}
	_ = s.seal() // it says the same again
	s.examine()
}

// inSeconds is a histogram of seconds for a library that counts in nanoseconds.
type inSeconds struct{ prometheus.Histogram }

// Observe is part of prometheus.Histogram.
func (h inSeconds) Observe(ns float64) { h.Histogram.Observe(ns / 1e9) }

func spoolReason(err error) string {
	switch {
	case errors.Is(err, ErrFull):
		return spoolFull
	case errors.Is(err, ErrOld):
		return spoolOld
	default:
		return spoolDisk
	}
}

// The reasons of sluice_gateway_spool_errors_total.
const (
	spoolFull    = "full"
	spoolOld     = "old"
	spoolDisk    = "disk"
	spoolDamaged = "damaged"
	spoolLost    = "lost"
	spoolRefused = "refused"
)

// Reasons are all of them.
var Reasons = []string{spoolFull, spoolOld, spoolDisk, spoolDamaged, spoolLost, spoolRefused}

// syncDir makes a directory's entries as durable as its files are.
func syncDir(dir string) error {
	d, err := vfs.Default.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
