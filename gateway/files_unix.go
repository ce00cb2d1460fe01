//go:build unix

package gateway

import (
	"math"
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
