//go:build (linux || darwin) && !noengine

package embedded

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/ebitengine/purego"
)

// canLoad says that this program can load the engine's library. Building with the tag noengine leaves it out: loading without cgo
// makes the program need the system's dynamic loader, which a static container image does not have.
const canLoad = true

// runLibrary is the engine: it returns when gone is closed and the engine has shut down, or when it failed. The library's only entry
// that can listen is its command line, which runs queries and ends: two open the ports, the last one reads a pipe that this process
// closes when its parent is gone.
func runLibrary(library, config string, gone <-chan struct{}) error {
	handle, err := purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return fmt.Errorf("load the engine: %w", err)
	}
	var run func(argc int32, argv **byte) uintptr
	var failure func(result uintptr) string
	purego.RegisterLibFunc(&run, handle, "chdb_query_cmdline")
	purego.RegisterLibFunc(&failure, handle, "chdb_result_error")

	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe to wait on: %w", err)
	}
	go func() { // lives as long as the process
		<-gone
		_ = write.Close()
		time.Sleep(stopGrace) // the parent, if it lives, kills us at the same time
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()

	args := []string{
		"clickhouse", "--config-file=" + config, "--log-level=information",
		// What clickhouse-local has switched on and a server has not.
		"--implicit_select=0", "--storage_file_read_method=pread", "--allow_introspection_functions=0",
		fmt.Sprintf("--query=SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; "+
			"SELECT count() FROM file('/dev/fd/%d', 'LineAsString', 'line String') FORMAT Null", read.Fd()),
	}
	argv := make([]*byte, 0, len(args)+1)
	for _, a := range args {
		text, err := syscall.BytePtrFromString(a)
		if err != nil {
			return fmt.Errorf("engine arguments: %w", err)
		}
		argv = append(argv, text)
	}
	argv = append(argv, nil)
	result := run(int32(len(args)), &argv[0]) //nolint:gosec // seven
	runtime.KeepAlive(argv)
	runtime.KeepAlive(read)
	if result != 0 {
		if text := strings.TrimSpace(failure(result)); text != "" {
			return errors.New(text)
		}
	}
	select {
	case <-gone:
		return nil
	default:
		return errors.New("stopped without being asked to")
	}
}
