//go:build unix

package spool

import (
	"os"
	"syscall"
)

// device returns the file system that a file is on; 0: the system does not tell.
func device(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev) //nolint:unconvert // its type differs between systems
	}
	return 0
}

// unlinked reports whether an open file or directory has no name any more. It returns false on file systems that do not
// tell.
func unlinked(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}
