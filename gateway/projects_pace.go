package gateway

import (
	"context"
	"io"
	"time"
)

const (
	// paceSlice is how long a paced reader works before it sleeps for as long.
	paceSlice = 500 * time.Microsecond
	// paceCredit bounds how much of a sleep that lasted too long counts for the next one: timers are a millisecond late on an
	// idle processor, and by any time on an overloaded machine.
	paceCredit = time.Millisecond
)

// pacer keeps the reading of a file out of the way of requests: the reader gives up the processor half of the time, in slices
// that are shorter than what requests wait for anyway. A nil pacer never waits.
type pacer struct {
	ctx    context.Context
	began  time.Time     // of the slice
	credit time.Duration // slept beyond what was due
}

func newPacer(ctx context.Context) *pacer { return &pacer{ctx: ctx, began: time.Now()} }

// pause sleeps if the slice is over. Once the context has ended it returns the context's error, which ends the reading.
func (p *pacer) pause() error {
	if p == nil {
		return nil
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	end := time.Now()
	due := end.Sub(p.began) - p.credit
	if due < paceSlice {
		return nil
	}
	time.Sleep(due)
	p.began = time.Now()
	p.credit = min(p.began.Sub(end)-due, paceCredit)
	return p.ctx.Err()
}

// pacedReader is a file that is read at a pacer's pace.
type pacedReader struct {
	io.Reader
	pace *pacer
}

func (r pacedReader) Read(b []byte) (int, error) {
	if err := r.pace.pause(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
