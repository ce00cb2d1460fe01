//go:build !linux

package embedded

import "syscall"

// endsWithParent has no means on this system: a clickhouse server outlives a killed watcher, and keeps the lock on its
// directory.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
