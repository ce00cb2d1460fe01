package fetch

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// lineInterval is the time between two progress lines without a terminal.
const lineInterval = 5 * time.Second

// progress shows the progress of a transfer: a bar on a terminal, otherwise a line every lineInterval. It is not safe
// for concurrent use.
type progress struct {
	out     io.Writer
	what    string
	total   int64 // bytes; 0: unknown
	done    int64
	started time.Time
	said    time.Time
	bar     *progressbar.ProgressBar // nil without a terminal
}

func newProgress(out io.Writer, what string, total int64) *progress {
	now := time.Now()
	p := &progress{out: out, what: what, total: total, started: now, said: now}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		length := total
		if length == 0 {
			length = -1 // a spinner
		}
		p.bar = progressbar.NewOptions64(length,
			progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowBytes(true), progressbar.OptionSetWidth(30), progressbar.OptionSetElapsedTime(true),
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetRenderBlankState(true))
		return p
	}
	p.say()
	return p
}

// set shows done bytes in total. It shows at most the total, which is an estimate for downloads.
func (p *progress) set(done int64) {
	if p.total > 0 {
		done = min(done, p.total)
	}
	p.done = max(done, p.done)
	if p.bar != nil {
		_ = p.bar.Set64(p.done)
		return
	}
	if now := time.Now(); now.Sub(p.said) >= lineInterval {
		p.said = now
		p.say()
	}
}

// Write adds len(b) to the progress.
func (p *progress) Write(b []byte) (int, error) {
	p.set(p.done + int64(len(b)))
	return len(b), nil
}

// finish leaves the last state on the screen.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Exit()
		_, _ = fmt.Fprintln(p.out)
	}
}

func (p *progress) say() {
	elapsed := time.Since(p.started).Round(time.Second)
	const mb = 1e6
	if p.total > 0 {
		_, _ = fmt.Fprintf(p.out, "%s: %.0f of %.0f MB, %s\n", p.what, float64(p.done)/mb, float64(p.total)/mb, elapsed)
		return
	}
	_, _ = fmt.Fprintf(p.out, "%s: %.0f MB, %s\n", p.what, float64(p.done)/mb, elapsed)
}
