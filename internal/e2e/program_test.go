package e2e

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is one of ours, running.
type program struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // of the exit, once done is closed

	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced whenever a line came

	figures *figures // of a consumer
}

// unrecorded is how long consumers wait if what was recorded is lost.
const unrecorded = 20 * time.Second

// start runs a program with settings as flags, and kills it when the test ends if it still runs.
func start(t testing.TB, name string, args ...string) *program {
	t.Helper()
	return startWith(t, nil, name, args...)
}

// startWith adds to its environment.
func startWith(t testing.TB, env []string, name string, args ...string) *program {
	t.Helper()
	return startFrom(t, lab.bin, env, name, args...)
}

// startFrom starts the program that is in a directory.
func startFrom(t testing.TB, dir string, env []string, name string, args ...string) *program {
	t.Helper()
	if err := openSources(); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, name: name, done: make(chan struct{}), more: make(chan struct{})}
	args = p.watched(args)
	p.cmd = exec.Command(filepath.Join(dir, name), args...)
	p.cmd.Env = append(environment(), env...)
	output, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = feed, feed
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = feed.Close()
	go func() {
		defer close(p.done)
		p.read(output)
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.figures.read()
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.output())
		} else if strings.Contains(p.output(), "DATA RACE") {
			t.Errorf("%s has a data race:\n%s", name, p.output())
		}
	})
	return p
}

// environment is this process's without settings for Sluice, except that logs are text: the scenarios give their
// settings as flags. It tells the race detector not to let a program sleep for a second before it exits, and consumers
// not to wait minutes for what an owner had under way that they know nothing of.
func environment() []string {
	out := []string{"GORACE=atexit_sleep_ms=0 " + os.Getenv("GORACE"), "SLUICE_LOG_FORMAT=text",
		"CRASHPOINT_TIMES=unrecorded=" + unrecorded.String()}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "SLUICE_") && !strings.HasPrefix(kv, "GORACE=") {
			out = append(out, kv)
		}
	}
	return out
}

func (p *program) read(r io.ReadCloser) {
	defer r.Close() //nolint:errcheck // a pipe
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, scan.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// says waits for a line that matches and returns its first group, or the whole match.
func (p *program) says(pattern string) string {
	p.t.Helper()
	return p.saysAfter(0, pattern)
}

// saysAfter is says for the lines after the first ones.
func (p *program) saysAfter(seen int, pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		lines, more := p.lines[seen:], p.more
		p.mu.Unlock()
		for _, line := range lines {
			if m := re.FindStringSubmatch(line); m != nil {
				return m[len(m)-1]
			}
		}
		seen += len(lines)
		select {
		case <-more:
		case <-p.done:
			if more == p.moreNow() {
				p.t.Fatalf("%s ended (%v) without saying %s", p.name, p.err, pattern)
			}
		case <-deadline.C:
			p.t.Fatalf("%s did not say %s in 60 s", p.name, pattern)
		}
	}
}

func (p *program) moreNow() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.more
}

// kill ends the program as a crash does.
func (p *program) kill() {
	p.t.Helper()
	p.figures.read()
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	<-p.done
}

// term asks the program to stop and returns its exit code.
func (p *program) term() int {
	p.t.Helper()
	p.figures.follow(p.done)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	return p.wait(60 * time.Second)
}

// wait waits for the program's end and returns its exit code.
func (p *program) wait(most time.Duration) int {
	p.t.Helper()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-timer.C:
		p.t.Fatalf("%s did not end in %s", p.name, most)
		return -1
	}
}

// runs runs a program to its end and returns exit code and output.
func runs(t testing.TB, name string, args ...string) (int, string) {
	t.Helper()
	p := start(t, name, args...)
	code := p.wait(5 * time.Minute)
	return code, p.output()
}
