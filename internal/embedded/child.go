package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"sluice/internal/embedded/dirlock"
	"sluice/internal/embedded/fetch"
)

// outputTail is how much of the engine's last output an error includes, in bytes.
const outputTail = 4 << 10

// errEnded is the error of an engine that ended without a request to stop.
var errEnded = errors.New("ended by itself")

// child is the engine's process: this program, executed again.
type child struct {
	cmd *exec.Cmd
	dir layout
	// logged is the size of the error log when the process started, in bytes.
	logged int64
	// searched is how much of the error log has been searched for the cause of a crash, in bytes.
	searched int64
	// lifeline is a pipe. The child shuts down when the pipe closes.
	lifeline *os.File
	// ended closes after the process has ended. err is the reason, written before.
	ended chan struct{}
	err   error
}

// startChild executes this program again as the engine. The child inherits the lock on its directory.
func startChild(source fetch.Source, dir layout, lock *dirlock.Lock) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	output, err := os.Create(dir.output())
	if err != nil {
		return nil, fmt.Errorf("create output file: %w", err)
	}
	defer output.Close() //nolint:errcheck // the child has its own
	held, lifeline, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("create lifeline: %w", err)
	}
	defer held.Close() //nolint:errcheck // the child has its own

	cmd := exec.Command(self)
	cmd.Args = append([]string{"sluice-engine"}, args(source, dir)...)
	cmd.Dir = dir.root()
	cmd.Env = append(childEnv(os.Environ()), marking+"=1")
	cmd.Stdout, cmd.Stderr = output, output
	cmd.ExtraFiles = []*os.File{held, lock.File()} // descriptors 3 and 4
	cmd.SysProcAttr = ownGroup()
	c := &child{cmd: cmd, dir: dir, logged: sizeOfFile(dir.errors()), lifeline: lifeline, ended: make(chan struct{})}
	started := make(chan error)
	go c.supervise(started)
	if err := <-started; err != nil {
		<-c.ended
		return nil, errors.Join(fmt.Errorf("start engine: %w", err), lifeline.Close())
	}
	return c, nil
}

// supervise starts the process and waits for it, on a thread of its own. Where the system ends a child together with
// its parent, the parent is a thread.
func (c *child) supervise(started chan<- error) {
	runtime.LockOSThread()
	defer close(c.ended)
	err := c.cmd.Start()
	started <- err
	if err == nil {
		c.err = c.cmd.Wait()
	}
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop asks the process to end, kills it after grace, and returns when it has ended. killed reports whether stop had to
// kill it.
func (c *child) stop(grace time.Duration) (killed bool) {
	_ = c.lifeline.Close()
	patience := time.NewTimer(grace)
	defer patience.Stop()
	select {
	case <-c.ended:
		return false
	case <-patience.C:
	}
	killGroup(c.cmd.Process)
	<-c.ended
	return true
}

// failure returns the error of a process that ended without a request.
func (c *child) failure() error {
	_ = c.lifeline.Close()
	how := "exit status 0"
	if c.err != nil {
		how = c.err.Error()
	}
	return c.explain(fmt.Errorf("%w: %s", errEnded, how))
}

// explain adds the cause of a crash or the engine's last output to err.
func (c *child) explain(err error) error {
	if cause := uncaught(c.dir.errors(), c.logged); cause != "" {
		return fmt.Errorf("%w; its cause: %s", err, cause)
	}
	if words := lastLines(tail(c.dir.output())); words != "" {
		return fmt.Errorf("%w; its last output: %s", err, words)
	}
	return fmt.Errorf("%w; see %s", err, c.dir.log())
}

// childEnv returns the environment without the variables that must not reach the engine.
func childEnv(env []string) []string {
	kept := make([]string, 0, len(env)+3)
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "GODEBUG", "GOTRACEBACK", "GOMEMLIMIT", "GOGC", "TZ", marking:
		default:
			kept = append(kept, e)
		}
	}
	// The engine has its own signal handlers, which Go's preemption signals would disturb.
	return append(kept, "TZ=UTC", "GODEBUG=asyncpreemptoff=1", "CLICKHOUSE_WATCHDOG_ENABLE=0")
}

// tail returns the end of a file, or "" if there is no file.
func tail(name string) string {
	file, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer file.Close() //nolint:errcheck // only read
	if info, err := file.Stat(); err == nil && info.Size() > outputTail {
		if _, err := file.Seek(-outputTail, io.SeekEnd); err != nil {
			return ""
		}
	}
	text, _ := io.ReadAll(io.LimitReader(file, outputTail))
	return string(text)
}

// lastLines joins the last lines of a text into one line.
func lastLines(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Join(lines[max(0, len(lines)-8):], " | ")
}
