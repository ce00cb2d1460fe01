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

// canLoad: this program can load the engine's library. The build tag noengine excludes the loader, because loading
// without cgo needs the system's dynamic loader, which a static container image lacks.
const canLoad = true

// runLibrary is the engine. It returns an error, or nil after gone closes and the engine has shut down. The library's
// only entry point that can listen is its command line, which runs queries and exits. Two queries open the ports, and
// the last one reads a pipe that this process closes when gone closes.
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
		return fmt.Errorf("create a pipe to wait on: %w", err)
	}
	go func() { // runs as long as the process
		<-gone
		_ = write.Close()
		time.Sleep(stopGrace) // a living parent kills this process at the same time
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}()

	args := []string{
		"clickhouse", "--config-file=" + config, "--log-level=information",
		// These settings differ between clickhouse-local and a server. The values are the server's.
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
	result := run(int32(len(args)), &argv[0])
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
		return errors.New("stopped without a request")
	}
}
