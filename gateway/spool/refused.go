package spool

import (
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2/record"
)

// Entries that Kafka refuses while it takes others lie in files of their own, one entry each, so that they hold up nothing behind
// them. They were answered 202: they count as waiting, and replay tries them again from time to time.

// Quarantine keeps an entry that Kafka refuses in a file of its own. It is on the disk when this returns nil.
func (s *Spool) Quarantine(e Entry, cause error) error {
	s.write.Lock()
	seg := s.segment(s.number)
	s.number++
	s.write.Unlock()
	seg.path = aside(seg, refusedSuffix)
	if err := s.writeRefused(seg.path, &e); err != nil {
		return err
	}
	s.addRefused(seg, &e)
	s.metrics.Errors.WithLabelValues(spoolRefused).Inc()
	s.log.Error("kafka refuses what waited in the spool; it is kept and tried again", "file", seg.path, "events", e.Count, "err", cause)
	return nil
}

func (s *Spool) writeRefused(path string, e *Entry) error {
	file, err := createSegment(path)
	if err != nil {
		return err
	}
	w := record.NewLogWriter(file, logNumber, record.LogWriterConfig{WriteWALSyncOffsets: func() bool { return true }})
	var synced sync.WaitGroup
	var syncErr error
	synced.Add(1)
	if _, err = w.SyncRecord(e.encode(), &synced, &syncErr); err == nil { // its counters stay 0: it is counted with no other
		synced.Wait()
		err = syncErr
	}
	if err = errors.Join(err, w.Close(), syncDir(s.dir)); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// addRefused counts a file with a refused entry.
func (s *Spool) addRefused(seg *segment, e *Entry) {
	seg.measure()
	seg.entries, seg.events = 1, int64(e.Count)
	seg.start(e, s.inherited(e.AcceptedAt))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = append(s.refused, seg)
}

// refusedFiles are the files with refused entries, the oldest first.
func (s *Spool) refusedFiles() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// readRefused reads the entry of such a file.
func (s *Spool) readRefused(seg *segment) (Entry, error) {
	r, err := openSegment(seg)
	if err != nil {
		return Entry{}, err
	}
	defer r.close()
	return r.read()
}

// Quarantined is an entry in quarantine.
type Quarantined struct {
	Entry
	file *segment
}

// Quarantined are the entries in quarantine, the oldest first, each read when it is its turn.
func (s *Spool) Quarantined() iter.Seq[Quarantined] {
	return func(yield func(Quarantined) bool) {
		for _, seg := range s.refusedFiles() {
			e, err := s.readRefused(seg)
			if err != nil {
				s.look() // if it was deleted, that is said and counted
				continue
			}
			if !yield(Quarantined{e, seg}) {
				return
			}
		}
	}
}

// Release removes an entry from quarantine: Kafka has it now.
func (s *Spool) Release(q Quarantined) error {
	// While the file is gone and still on the list, it must not count as lost.
	s.reads(q.file, true)
	if err := removeSegment(q.file); err != nil {
		s.reads(q.file, false)
		return fmt.Errorf("spool file that is done with: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = slices.DeleteFunc(s.refused, func(r *segment) bool { return r == q.file })
	return nil
}

// reads notes whether replay has a file.
func (s *Spool) reads(seg *segment, yes bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seg.reading = yes
}

// recoverRefused counts such a file of an earlier run.
func (s *Spool) recoverRefused(seg *segment) error {
	seg.path = aside(seg, refusedSuffix)
	if slices.ContainsFunc(s.refusedFiles(), func(r *segment) bool { return r.path == seg.path }) {
		return nil
	}
	e, err := s.readRefused(seg)
	if err != nil {
		return s.keepAside(seg, err)
	}
	s.addRefused(seg, &e)
	return nil
}
