package spool

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// lockName is the file that is locked while a process uses the directory.
const lockName = "LOCK"

// directory is the spool's directory as it was when the spool locked it. Somebody may delete, rename, replace or
// unmount a directory under a running gateway, or delete or truncate a file in it. Writes to an open file still succeed
// then, but no later run finds the file. So a group of entries is acknowledged only when the path still leads to the
// file that was written.
type directory struct {
	lock     io.Closer
	lockInfo os.FileInfo
	opened   *os.File // kept open: it tells a deleted directory from one that is only out of sight
	info     os.FileInfo
	missing  error // why the directory cannot be used; nil: it can
}

// acquire locks the directory and remembers which one it is.
func (d *directory) acquire(path string) error {
	lock, err := vfs.Default.Lock(filepath.Join(path, lockName))
	if err != nil {
		return err
	}
	lockInfo, err := os.Lstat(filepath.Join(path, lockName))
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	opened, err := os.Open(path)
	if err != nil {
		return errors.Join(err, lock.Close())
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close(), lock.Close())
	}
	*d = directory{lock: lock, lockInfo: lockInfo, opened: opened, info: info}
	return nil
}

// release closes and unlocks the directory.
func (d *directory) release() error {
	opened := d.opened
	d.opened = nil
	return errors.Join(opened.Close(), d.unlock())
}

func (d *directory) unlock() error {
	lock := d.lock
	d.lock = nil
	if lock == nil {
		return nil
	}
	return lock.Close()
}

// deleted reports whether the directory is known to have no name any more.
func (d *directory) deleted() bool {
	info, err := d.opened.Stat()
	return err == nil && unlinked(info)
}

// leadsTo reports whether a path leads to the file.
func leadsTo(path string, file os.FileInfo) bool {
	info, err := os.Lstat(path)
	return err == nil && file != nil && os.SameFile(info, file)
}

// syncDir makes a directory's entries durable.
func syncDir(dir string) error {
	d, err := vfs.Default.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
