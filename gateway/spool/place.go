package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// place is the spool's directory as it was when the spool took it. A directory can be deleted, renamed, replaced or unmounted
// under a running gateway, and a file in it deleted or truncated. Writes to an open file go on to succeed then, into a file that
// no later run finds. So each group of entries is acknowledged only after the path still leads to the file that was written.
type place struct {
	lock     io.Closer
	lockInfo os.FileInfo
	dir      *os.File // kept open: it tells a directory that was deleted from one that is only out of sight
	info     os.FileInfo
	gone     error // why the directory cannot be used; nil: it can
}

// take locks the directory and remembers which one it is.
func (p *place) take(dir string) error {
	lock, err := vfs.Default.Lock(filepath.Join(dir, spoolLock))
	if err != nil {
		return err
	}
	lockInfo, err := os.Lstat(filepath.Join(dir, spoolLock))
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	opened, err := os.Open(dir) //nolint:gosec // the operator's own directory
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close(), lock.Close())
	}
	*p = place{lock: lock, lockInfo: lockInfo, dir: opened, info: info}
	return nil
}

// leave gives the directory back.
func (p *place) leave() error {
	dir := p.dir
	p.dir = nil
	return errors.Join(dir.Close(), p.unlock())
}

func (p *place) unlock() error {
	lock := p.lock
	p.lock = nil
	if lock == nil {
		return nil
	}
	return lock.Close()
}

// deleted says whether the directory is known not to exist any more under any name.
func (p *place) deleted() bool {
	info, err := p.dir.Stat()
	return err == nil && unlinked(info)
}

// same says whether a path leads to the file.
func same(path string, file os.FileInfo) bool {
	info, err := os.Lstat(path)
	return err == nil && file != nil && os.SameFile(info, file)
}

// untouched says whether the active file is as the last group left it. Written on after somebody truncated it, it would have a
// hole where acknowledged entries were.
func (s *Spool) untouched() error {
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

// inPlace says whether the active file, which was just written and fsynced, is the one that its path leads to, and how large it
// is. That is two system calls for each fsync.
func (s *Spool) inPlace() (size int64, err error) {
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
