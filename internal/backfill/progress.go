package backfill

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"sluice/internal/backoff"
)

// progress shows a waiting person how far an input is: a line that is written over on a terminal, else a line every few
// seconds.
type progress struct {
	out   io.Writer
	live  bool
	src   *source
	front *frontier
}

const (
	liveEvery = 500 * time.Millisecond
	lineEvery = 5 * time.Second
)

func newProgress(out io.Writer, src *source, front *frontier) *progress {
	p := &progress{out: out, src: src, front: front}
	if f, ok := out.(*os.File); ok {
		p.live = term.IsTerminal(int(f.Fd()))
	}
	return p
}

// note writes a line.
func (p *progress) note(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...) // the import continues without a reader
}

// follow shows the progress until ctx ends.
func (p *progress) follow(ctx context.Context) {
	every := lineEvery
	if p.live {
		every = liveEvery
	}
	begun, first := time.Now(), p.at()
	last := first
	for backoff.Sleep(ctx, every) {
		now := p.at()
		line := p.line(now, float64(now.events-last.events)/every.Seconds(), p.left(now, first, time.Since(begun)))
		last = now
		if p.live {
			_, _ = fmt.Fprintf(p.out, "\r\x1b[K%s", line)
		} else {
			p.note("%s", line)
		}
	}
	if p.live {
		_, _ = fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// point is how far an input is.
type point struct {
	raw              int64 // bytes read, as stored
	events, rejected int64
}

func (p *progress) at() point {
	s, _ := p.front.now()
	return point{raw: p.src.raw.n.Load(), events: s.Accepted + s.Duplicates, rejected: s.Rejected}
}

func (p *progress) line(now point, rate float64, left time.Duration) string {
	text := p.src.shown() + ": "
	if p.src.size > 0 {
		text += fmt.Sprintf("%.1f %%, ", 100*float64(now.raw)/float64(p.src.size))
	}
	text += fmt.Sprintf("%d events, %.0f events/s", now.events, rate)
	if now.rejected > 0 {
		text += fmt.Sprintf(", %d lines rejected", now.rejected)
	}
	if left > 0 {
		text += fmt.Sprintf(", about %v left", left.Round(time.Second))
	}
	return text
}

// left estimates the time to the end from the bytes that this run has read; 0: unknown.
func (p *progress) left(now, first point, took time.Duration) time.Duration {
	read := now.raw - first.raw
	if p.src.size <= now.raw || read <= 0 {
		return 0
	}
	return time.Duration(float64(took) / float64(read) * float64(p.src.size-now.raw))
}
