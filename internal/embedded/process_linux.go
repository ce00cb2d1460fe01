package embedded

import "syscall"

// endsWithParent makes the system stop the clickhouse server when its watching process is killed.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
