package embedded

import "syscall"

// endsWithParent makes the system stop the clickhouse server when the process that watches over it is killed.
func endsWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }
