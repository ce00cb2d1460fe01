//go:build unix

package gateway

import (
	"math"
	"os"
	"syscall"
)

// openFilesLimit is how many files this process may have open; the Go runtime has raised it to what is allowed. 0: unknown.
func openFilesLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)) //nolint:gosec,unconvert // its type differs between systems
}

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
