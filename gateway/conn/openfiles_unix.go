//go:build unix

package conn

import (
	"math"
	"syscall"
)

// openFilesLimit returns how many files this process may have open, or 0 if the system does not tell. The Go runtime
// has raised the limit as far as the system allows.
func openFilesLimit() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(uint64(limit.Cur), math.MaxInt32)) //nolint:unconvert // its type differs between systems
}
