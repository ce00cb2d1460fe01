package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is the program; it returns its exit code.
func run(args []string, stdout, stderr io.Writer) int {
	tool := &goTool{name: "go", stderr: stderr}
	if name := os.Getenv("GO"); name != "" {
		tool.name = name
	}
	all, err := split(args)
	if err != nil {
		_ = fail(stderr, err)
		return 2
	}
	began := time.Now()
	sum := newSummary(stdout)
	code, err := tool.test(args, sum)
	if err == nil && code == 1 && !tool.stopped.Load() && sum.mayRerun() {
		code, err = tool.rerun(all, sum)
	}
	sum.close(time.Since(began))
	switch {
	case err != nil:
		return fail(stderr, err)
	case code != 0:
		_, _ = fmt.Fprintln(stdout, "FAIL")
	}
	return code
}

// goTool runs the go command.
type goTool struct {
	name    string
	stderr  io.Writer
	stopped atomic.Bool // by a signal
}

// test runs go test with these arguments, and returns its exit code once sum has read all that it said.
func (g *goTool) test(args []string, sum *summary) (code int, err error) {
	cmd := exec.Command(g.name, append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = g.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	// Ctrl-C reaches go test as well, which ends in order.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case s := <-signals:
				g.stopped.Store(true)
				_ = cmd.Process.Signal(s)
			case <-ended:
				return
			}
		}
	}()
	readErr := sum.read(out)
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	return 0, errors.Join(err, readErr)
}

func fail(stderr io.Writer, err error) int {
	_, _ = fmt.Fprintln(stderr, "testsum:", err)
	return 1
}
