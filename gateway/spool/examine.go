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
	errReplaced  = errors.New("another directory is in its place")
	errUnmounted = errors.New("a directory of another file system is in its place; check whether the volume is mounted")
)

// inspectDirectory examines the directory.
func (s *Spool) inspectDirectory() {
	s.write.Lock()
	defer s.write.Unlock()
	s.examine()
}

// examine compares the directory with the files that the spool knows. The caller holds s.write.
//
//	the directory is missing ─▶ appends are refused; once it is known to be deleted, its files count as lost
//	it is back, or another is in its place ─▶ the spool adopts its files; files that are not in it count as lost
//	a file is missing ─▶ it counts as lost
func (s *Spool) examine() {
	info, err := os.Stat(s.cfg.Dir)
	if err != nil {
		s.setMissing(err)
		return
	}
	if !os.SameFile(info, s.directory.info) {
		if device(info) != device(s.directory.info) && !s.hasLockFile() {
			s.setMissing(errUnmounted)
			return
		}
		if err := s.switchDirectory(); err != nil {
			s.setMissing(fmt.Errorf("%w: %w", errReplaced, err))
			return
		}
	} else if err := s.relock(); err != nil {
		s.setMissing(err)
		return
	}
	if s.active != nil && !s.has(s.active) {
		_ = s.seal() // its file has no name; it is examined with the sealed ones
	}
	gone := func(seg *segment) bool { return !s.has(seg) }
	if slices.ContainsFunc(s.files(), gone) {
		if err := s.adoptFiles(); err != nil { // somebody may have replaced a file by a copy of itself
			s.log.Error("new files in the spool directory cannot be read", "dir", s.cfg.Dir, "err", err)
		}
	}
	s.dropLost(gone)
	if s.directory.missing != nil {
		s.directory.missing = nil
		f := s.Stats()
		s.log.Info("spool directory is back", "dir", s.cfg.Dir, "bytes", f.Bytes, "events", f.Events)
		s.signalReady()
	}
}

// files returns the files that are not being written. A reader may take files off the lists at the same time.
func (s *Spool) files() []*segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.sealed, s.quarantined)
}

// hasLockFile reports whether a spool has used the directory. An empty mount point, whose volume is gone, has no lock
// file.
func (s *Spool) hasLockFile() bool {
	_, err := os.Lstat(filepath.Join(s.cfg.Dir, lockName))
	return err == nil
}

// has reports whether the directory has the segment's file. A disk that fails has not lost the file yet.
func (s *Spool) has(seg *segment) bool {
	info, err := os.Lstat(seg.path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	return seg.info == nil || os.SameFile(info, seg.info)
}

// setMissing notes that the directory cannot be used. Its files may come back, unless the directory is known to be
// deleted.
func (s *Spool) setMissing(cause error) {
	if s.active != nil {
		_ = s.seal()
	}
	if s.directory.missing == nil {
		f := s.Stats()
		s.log.Error("spool directory is missing; the spool takes nothing until it is mounted or made again",
			"dir", s.cfg.Dir, "events", f.Events, "bytes", f.Bytes, "err", cause)
	}
	s.directory.missing = cause
	if s.directory.deleted() {
		s.dropLost(func(*segment) bool { return true })
	}
}

// switchDirectory locks the directory that has taken the place of the spool's.
func (s *Spool) switchDirectory() error {
	if s.active != nil {
		_ = s.seal()
	}
	_ = s.directory.unlock() // this process may hold one lock under a path
	var next directory
	if err := next.acquire(s.cfg.Dir); err != nil {
		return err
	}
	missing := s.directory.missing
	_ = s.directory.release()
	s.directory = next
	if s.directory.missing = missing; missing == nil {
		s.directory.missing = errReplaced // so that examine logs the return
		s.log.Error("spool directory was replaced by another", "dir", s.cfg.Dir)
	}
	return nil
}

// relock locks the directory again if somebody removed the lock's file, or if the lock was given up for a directory
// that was in its place for a while. Otherwise a second gateway could lock the directory.
func (s *Spool) relock() error {
	path := filepath.Join(s.cfg.Dir, lockName)
	if s.directory.lock != nil && leadsTo(path, s.directory.lockInfo) {
		return nil
	}
	_ = s.directory.unlock()
	lock, err := vfs.Default.Lock(path)
	if err != nil {
		return err
	}
	s.directory.lock = lock
	s.directory.lockInfo, err = os.Lstat(path)
	return err
}

// adoptFiles puts the directory's files that the spool does not know behind those that it knows.
func (s *Spool) adoptFiles() error {
	files, err := s.list()
	if err != nil {
		return err
	}
	known := s.files()
	if s.active != nil {
		known = append(known, s.active)
	}
	for _, seg := range files {
		same := func(k *segment) bool { return k.info != nil && seg.info != nil && os.SameFile(k.info, seg.info) }
		if slices.ContainsFunc(known, same) {
			continue
		}
		if err := s.adoptFile(seg); err != nil {
			return err
		}
	}
	return nil
}

// adoptFile puts a file behind the others. Its counters tell nothing about them. If it is a copy of a known file, or
// that file on a volume that was mounted again, it replaces the known one.
func (s *Spool) adoptFile(seg *segment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, next, before := s.sealed, s.next, s.before
	s.sealed = nil
	err := s.scan(seg, true)
	known = slices.DeleteFunc(known, func(k *segment) bool {
		return !k.reading && k.path == seg.path && k.firstCRC == seg.firstCRC && k.events <= seg.events
	})
	s.sealed = append(known, s.sealed...)
	s.next, s.before = max(next, s.next), max(before, s.before)
	return err
}

// dropLost forgets the files that are lost, and logs and counts their events: each was answered 202. A file that is
// being read is read to its end, though it has no name any more.
func (s *Spool) dropLost(lost func(*segment) bool) {
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
	s.quarantined = slices.DeleteFunc(s.quarantined, drop)
	s.mu.Unlock()
	if files == 0 {
		return
	}
	s.countError(reasonLost)
	s.cfg.Metrics.Lost.Add(float64(events))
	s.log.Error("spool files were deleted by somebody else; their events were answered 202 and are lost",
		"dir", s.cfg.Dir, "files", files, "events", events)
}
