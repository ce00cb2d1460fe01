package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"
)

var (
	errSpoolReplaced  = errors.New("another directory is in its place")
	errSpoolUnmounted = errors.New("a directory of another file system is in its place: is the volume mounted?")
)

// look examines the directory while nothing is appended.
func (s *Spool) look() {
	s.write.Lock()
	defer s.write.Unlock()
	s.examine()
}

// examine compares the directory with what the spool believes to be in it, with s.write held:
//
//	directory missing ─▶ gone: appends are refused; what lay in it counts as lost once it is known to be deleted
//	directory back, or another in its place ─▶ taken, its files with it; files that are not in it are lost
//	file missing ─▶ lost: said, counted, and no longer waited for
func (s *Spool) examine() {
	info, err := os.Stat(s.dir)
	if err != nil {
		s.missing(err)
		return
	}
	if !os.SameFile(info, s.place.info) {
		if device(info) != device(s.place.info) && !s.used() {
			s.missing(errSpoolUnmounted)
			return
		}
		if err := s.move(); err != nil {
			s.missing(fmt.Errorf("%w: %w", errSpoolReplaced, err))
			return
		}
	} else if err := s.relock(); err != nil {
		s.missing(err)
		return
	}
	if s.active != nil && !s.holds(s.active) {
		_ = s.seal() // into a file that nobody finds; examined with the others
	}
	gone := func(seg *segment) bool { return !s.holds(seg) }
	if slices.ContainsFunc(s.files(), gone) {
		if err := s.adopt(); err != nil { // a file may have been replaced by a copy of itself
			s.log.Error("spool files that were not there before cannot be read", "dir", s.dir, "err", err)
		}
	}
	s.forsake(gone, "dir", s.dir)
	if s.place.gone != nil {
		s.place.gone = nil
		f := s.Stats()
		s.log.Info("spool directory is there again", "dir", s.dir, "bytes", f.Bytes, "events", f.Events)
		s.poke()
	}
}

// files are those that are not being written. Replay takes files off the lists meanwhile.
func (s *Spool) files() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.sealed, s.refused)
}

// used says whether a spool has been in the directory. A mount point without its volume is a directory too, and an empty one.
func (s *Spool) used() bool {
	_, err := os.Lstat(filepath.Join(s.dir, spoolLock))
	return err == nil
}

// holds says whether the directory has a segment's file.
func (s *Spool) holds(seg *segment) bool {
	if seg.info == nil {
		_, err := os.Lstat(seg.path)
		return err == nil || !errors.Is(err, os.ErrNotExist)
	}
	info, err := os.Lstat(seg.path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist) // a disk that fails has not lost the file yet
	}
	return os.SameFile(info, seg.info)
}

// missing notes that the directory cannot be used. What is in it may be found again, unless it is known to be deleted.
func (s *Spool) missing(cause error) {
	if s.active != nil {
		_ = s.seal()
	}
	if s.place.gone == nil {
		f := s.Stats()
		s.log.Error("spool directory is missing; nothing goes into it until it is back; mount it or make it again",
			"dir", s.dir, "events", f.Events, "bytes", f.Bytes, "err", cause)
	}
	s.place.gone = cause
	if s.place.deleted() {
		s.forsake(func(*segment) bool { return true }, "dir", s.dir)
	}
}

// move takes the directory that is in the place of the spool's: locks it, and takes over the files in it that are not known.
func (s *Spool) move() error {
	if s.active != nil {
		_ = s.seal()
	}
	_ = s.place.unlock() // this process may hold one lock under a path
	var next place
	if err := next.take(s.dir); err != nil {
		return err
	}
	gone := s.place.gone
	_ = s.place.leave()
	s.place = next
	if s.place.gone = gone; gone == nil {
		s.place.gone = errSpoolReplaced // so that the return is said
		s.log.Error("spool directory was replaced by another", "dir", s.dir)
	}
	return nil
}

// relock locks the directory once more when somebody removed the lock's file, and when the lock was given up for a directory that was in
// its place for a while: a second gateway could lock it.
func (s *Spool) relock() error {
	path := filepath.Join(s.dir, spoolLock)
	if s.place.lock != nil && same(path, s.place.lockInfo) {
		return nil
	}
	_ = s.place.unlock()
	lock, err := vfs.Default.Lock(path)
	if err != nil {
		return err
	}
	s.place.lock = lock
	s.place.lockInfo, err = os.Lstat(path)
	return err
}

// adopt takes over the files of a directory that nobody has read yet, behind those that are known.
func (s *Spool) adopt() error {
	files, err := s.list()
	if err != nil {
		return err
	}
	known := s.files()
	if s.active != nil {
		known = append(known, s.active)
	}
	for _, seg := range files {
		if slices.ContainsFunc(known, func(k *segment) bool { return k.info != nil && seg.info != nil && os.SameFile(k.info, seg.info) }) {
			continue
		}
		if err := s.takeOver(seg); err != nil {
			return err
		}
	}
	return nil
}

// takeOver reads one such file and puts it behind the others. What the others must hold does not follow from it.
func (s *Spool) takeOver(seg *segment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, next, before := s.sealed, s.next, s.before
	s.sealed = nil
	err := s.inspect(seg, true)
	// The same file on a volume that was mounted again, or a copy, is no other file.
	known = slices.DeleteFunc(known, func(k *segment) bool {
		return !k.reading && k.path == seg.path && k.mark == seg.mark && k.events <= seg.events
	})
	s.sealed = append(known, s.sealed...)
	s.next, s.before = max(next, s.next), max(before, s.before)
	return err
}

// forsake gives up the files that are lost, says so and counts their events: each of them was answered 202. A file that replay
// has open is read to its end all the same.
func (s *Spool) forsake(lost func(*segment) bool, where ...any) {
	var events, files int64
	s.mu.Lock()
	drop := func(seg *segment) bool {
		if seg.reading || !lost(seg) {
			return false
		}
		events += seg.events
		files++
		return true
	}
	s.sealed = slices.DeleteFunc(s.sealed, drop)
	s.refused = slices.DeleteFunc(s.refused, drop)
	s.mu.Unlock()
	if files == 0 {
		return
	}
	s.lost(events)
	s.log.Error("spool files were deleted by somebody else; their events were answered 202 and are lost",
		append(where, "files", files, "events", events)...)
}

// lost counts events that were answered 202 and that the spool cannot give back.
func (s *Spool) lost(events int64) {
	s.metrics.Errors.WithLabelValues(spoolLost).Inc()
	s.metrics.Lost.Add(float64(events))
}
