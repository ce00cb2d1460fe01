package measure

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/procfs"
)

// ErrNoUsage means that this system does not tell how much processor time a process took.
var ErrNoUsage = errors.New("this system does not show the processor time of processes: --measure needs Linux's /proc")

// Usage is what a process has used since its start.
type Usage struct {
	// Processor is user and system time, in steps of 10 ms.
	Processor time.Duration
	// Read and Written are the bytes of all read and write calls: files, pipes and sockets.
	Read, Written uint64
	// Resident is the memory in use now, in bytes.
	Resident uint64
}

// UsageOf returns the usage of a process. Its error wraps [ErrNoUsage] if the system has no /proc.
func UsageOf(pid int) (Usage, error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return Usage{}, fmt.Errorf("%w (%w)", ErrNoUsage, err)
	}
	stat, err := process.Stat()
	if err != nil {
		return Usage{}, fmt.Errorf("read the processor time of process %d: %w", pid, err)
	}
	io, err := process.IO()
	if err != nil {
		return Usage{}, fmt.Errorf("read the bytes of process %d: %w", pid, err)
	}
	return Usage{
		Processor: time.Duration(stat.CPUTime() * float64(time.Second)),
		Read:      io.RChar, Written: io.WChar, Resident: uint64(stat.ResidentMemory()), //nolint:gosec // never negative
	}, nil
}

// Since returns what was used since an earlier usage of the same process. Resident stays the later one.
func (u Usage) Since(earlier Usage) Usage {
	return Usage{
		Processor: u.Processor - earlier.Processor,
		Read:      u.Read - earlier.Read, Written: u.Written - earlier.Written, Resident: u.Resident,
	}
}
