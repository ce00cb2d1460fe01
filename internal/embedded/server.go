package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// runServer is the engine with a clickhouse binary. It watches the server until gone closes, then stops it.
func runServer(binary, config string, gone <-chan struct{}) error {
	runtime.LockOSThread() // on Linux the server ends with this thread
	cmd := exec.Command(binary, "server", "--config-file="+config)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{os.NewFile(lifelineFD+1, "lock")} // the server shares the lock
	cmd.SysProcAttr = endsWithParent()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", binary, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		return errors.Join(errors.New("clickhouse server stopped without a request"), err)
	case <-gone:
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-done: //nolint:errcheck // it was told to stop
		return nil
	case <-time.After(stopGrace):
		return errors.Join(errors.New("clickhouse server did not stop in time"), cmd.Process.Kill(), <-done)
	}
}
