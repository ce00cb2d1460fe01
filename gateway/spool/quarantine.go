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

// The quarantine is the entries that Kafka refuses while it takes others. Each lies in a file of its own, so that it
// holds up nothing behind it. Its events were answered 202: they count as waiting, and the caller tries them again from
// time to time.

// Quarantine keeps an entry that Kafka refuses in a file of its own. The entry is on the disk when Quarantine returns
// nil.
func (s *Spool) Quarantine(e Entry, cause error) error {
	s.write.Lock()
	seg := newSegment(s.cfg.Dir, s.number)
	s.number++
	s.write.Unlock()
	seg.path = seg.withSuffix(refusedSuffix)
	if err := s.writeQuarantined(seg.path, &e); err != nil {
		return err
	}
	s.addQuarantined(seg, &e)
	s.countError(reasonRefused)
	s.log.Error("kafka refuses an event in the spool; the spool keeps it and tries again",
		"file", seg.path, "events", e.Count, "err", cause)
	return nil
}

// writeQuarantined writes a file with one entry. The entry's counters stay 0: no other entry is counted with it.
func (s *Spool) writeQuarantined(path string, e *Entry) error {
	file, err := createSegment(path)
	if err != nil {
		return err
	}
	w := record.NewLogWriter(file, logNumber, record.LogWriterConfig{WriteWALSyncOffsets: func() bool { return true }})
	var synced sync.WaitGroup
	var syncErr error
	synced.Add(1)
	if _, err = w.SyncRecord(e.encode(), &synced, &syncErr); err == nil {
		synced.Wait()
		err = syncErr
	}
	if err = errors.Join(err, w.Close(), syncDir(s.cfg.Dir)); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// addQuarantined counts a file with a quarantined entry.
func (s *Spool) addQuarantined(seg *segment, e *Entry) {
	seg.measure()
	seg.entries, seg.events = 1, int64(e.Count)
	seg.setFirst(e, s.waitingSince(e.AcceptedAt))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantined = append(s.quarantined, seg)
}

// quarantinedFiles returns the files of the quarantine, the oldest first.
func (s *Spool) quarantinedFiles() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.quarantined)
}

// Quarantined is an entry in quarantine.
type Quarantined struct {
	Entry
	file *segment
}

// Quarantined returns the entries in quarantine, the oldest first. Each is read when the loop comes to it. Entries
// whose files cannot be read are left out.
func (s *Spool) Quarantined() iter.Seq[Quarantined] {
	return func(yield func(Quarantined) bool) {
		for _, seg := range s.quarantinedFiles() {
			e, err := readQuarantined(seg)
			if err != nil {
				s.inspectDirectory() // logs and counts the file if it was deleted
				continue
			}
			if !yield(Quarantined{e, seg}) {
				return
			}
		}
	}
}

func readQuarantined(seg *segment) (Entry, error) {
	r, err := openSegment(seg)
	if err != nil {
		return Entry{}, err
	}
	defer r.close()
	return r.read()
}

// Release removes an entry from quarantine: Kafka has it.
func (s *Spool) Release(q Quarantined) error {
	// The file is removed before it leaves the list. An inspection in between must not count it as lost.
	s.setReading(q.file, true)
	if err := removeSegment(q.file); err != nil {
		s.setReading(q.file, false)
		return fmt.Errorf("remove a spool file that is on kafka: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantined = slices.DeleteFunc(s.quarantined, func(seg *segment) bool { return seg == q.file })
	return nil
}

// recoverQuarantined counts a file that an earlier run put into quarantine.
func (s *Spool) recoverQuarantined(seg *segment) error {
	seg.path = seg.withSuffix(refusedSuffix)
	if slices.ContainsFunc(s.quarantinedFiles(), func(q *segment) bool { return q.path == seg.path }) {
		return nil
	}
	e, err := readQuarantined(seg)
	if err != nil {
		return s.keepDamaged(seg, err)
	}
	s.addQuarantined(seg, &e)
	return nil
}
