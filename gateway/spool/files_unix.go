//go:build unix

package spool

import (
	"os"
	"syscall"
)

// device is the file system that a file is on.
func device(info os.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev) //nolint:gosec,unconvert // its type differs between systems
	}
	return 0
}

// unlinked says whether a file or directory that is still open has no name any more. Some file systems do not tell: false.
func unlinked(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}
