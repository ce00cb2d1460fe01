package measure

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// stopGrace is how long a part may take to end before it is killed.
const stopGrace = 20 * time.Second

// process is a running part.
type process struct {
	name  string
	cmd   *exec.Cmd
	input io.WriteCloser // the part ends when it closes
	said  *bytes.Buffer  // standard error; only read after ended
	ended chan struct{}
	err   error // of the exit, written before ended closes
	addr  string
}

// startPart starts a part and waits until it is ready.
func startPart(ctx context.Context, name string, place Place) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	p := &process{name: name, cmd: exec.Command(self), said: &bytes.Buffer{}, ended: make(chan struct{})}
	p.cmd.Args = []string{"sluice-plan-" + name}
	p.cmd.Env = append(os.Environ(), marking+"="+name)
	p.cmd.Stderr = p.said
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("make the input of the %s: %w", name, err)
	}
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make the output of the %s: %w", name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the %s: %w", name, err)
	}
	ready := make(chan string, 1)
	go p.follow(output, ready)
	if err := json.NewEncoder(p.input).Encode(place); err != nil {
		p.stop()
		return nil, p.failed(err)
	}
	select {
	case p.addr = <-ready:
		return p, nil
	case <-p.ended:
		return nil, p.failed(nil)
	case <-ctx.Done():
		p.stop()
		return nil, ctx.Err()
	}
}

// follow reads the part's output to its end, and then waits for the part's end.
func (p *process) follow(output io.Reader, ready chan<- string) {
	defer close(p.ended)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			ready <- addr
			break
		}
	}
	_, _ = io.Copy(io.Discard, output)
	p.err = p.cmd.Wait()
}

// stop ends the part, and kills it after stopGrace.
func (p *process) stop() {
	_ = p.input.Close()
	patience := time.NewTimer(stopGrace)
	defer patience.Stop()
	select {
	case <-p.ended:
		return
	case <-patience.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// failed returns why a part ended that should not have.
func (p *process) failed(err error) error {
	<-p.ended
	said := strings.TrimSpace(p.said.String())
	if at := strings.LastIndexByte(said, '\n'); at >= 0 {
		said = said[at+1:]
	}
	if said == "" {
		return fmt.Errorf("the %s ended by itself: %w", p.name, errors.Join(err, p.err))
	}
	return fmt.Errorf("the %s ended by itself: %s", p.name, said)
}
