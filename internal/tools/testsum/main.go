package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program; it returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	tool := os.Getenv("GO")
	if tool == "" {
		tool = "go"
	}
	cmd := exec.Command(tool, append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fail(stderr, err)
	}
	// Ctrl-C reaches go test as well, which ends in order.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return fail(stderr, err)
	}
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		for {
			select {
			case s := <-signals:
				_ = cmd.Process.Signal(s)
			case <-stopped:
				return
			}
		}
	}()
	sum := newSummary(stdout)
	readErr := sum.read(out)
	err = cmd.Wait()
	sum.close(time.Since(began))
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		_, _ = fmt.Fprintln(stdout, "FAIL")
		return exit.ExitCode()
	case err != nil:
		return fail(stderr, err)
	case readErr != nil:
		return fail(stderr, readErr)
	}
	return 0
}

func fail(stderr io.Writer, err error) int {
	_, _ = fmt.Fprintln(stderr, "testsum:", err)
	return 1
}
