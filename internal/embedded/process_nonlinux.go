//go:build !linux

package embedded

import "syscall"

// endsWithParent can do nothing here: a clickhouse server whose watcher is killed goes on, and keeps the lock on its directory.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
