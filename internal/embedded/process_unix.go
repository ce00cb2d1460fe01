//go:build linux || darwin

package embedded

import (
	"os"
	"syscall"
)

// ownGroup shields the engine from Ctrl-C in a terminal. The parent decides when the engine stops.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// killGroup kills the process and its children.
func killGroup(p *os.Process) {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	_ = p.Kill()
}
