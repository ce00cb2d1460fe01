//go:build linux || darwin

package embedded

import (
	"os"
	"syscall"
)

// ownGroup keeps Ctrl-C in a terminal away from the engine: the parent decides when the engine stops.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the process and what it started.
func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	_ = p.Kill()
}
