package projects

import (
	"context"
	"io"
	"time"
)

const (
	// paceSlice is how long a paced reading works before it sleeps for as long.
	paceSlice = 500 * time.Microsecond
	// maxPaceCredit bounds how much of a too long sleep is deducted from the next one. The timers of an idle process
	// are up to 1 ms late, those of an overloaded machine by any time.
	maxPaceCredit = time.Millisecond
	// maxPauses and maxLinesPauses bound all pauses of one reading together, of YAML and of a file with one project on
	// each line. A change must be in force within 5 s and 10 s. 100,000 projects in YAML take 1.3 s without pauses, and
	// 2.5 s on a busy machine. A million lines take 3 s.
	maxPauses      = 2 * time.Second
	maxLinesPauses = 4 * time.Second
)

// pacer keeps a reading out of the way of requests: the reading gives up the processor for half of the time, in slices
// that are shorter than a request takes. A nil pacer never sleeps. Not for concurrent use.
//
// Sleeping is for the machine, not for the Go scheduler. With a reading that yields (runtime.Gosched) after every 32
// projects, 99 % of the gateway's goroutines run within 0.3 ms, and yet the p99 of requests rises from 2.4 to 7-9 ms on
// two cores (100,000 projects in YAML): the reading competes with the broker and the clients for a core. While a paced
// reading lasts, the garbage collector runs for less than 1 % of the time. Slices of 100 or 200 µs with yields between
// did not do better.
type pacer struct {
	ctx    context.Context
	began  time.Time     // of the slice
	credit time.Duration // slept more than was due
	paused time.Duration // all pauses so far
	most   time.Duration // of paused
}

// newPacer returns a pacer for a reading of the file with that name.
func newPacer(ctx context.Context, name string) *pacer {
	p := &pacer{ctx: ctx, began: time.Now(), most: maxPauses}
	if hasLines(name) {
		p.most = maxLinesPauses
	}
	return p
}

// pause sleeps if the slice is over. Once the context has ended, pause returns the context's error, which ends the
// reading.
func (p *pacer) pause() error {
	if p == nil {
		return nil
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	end := time.Now()
	due := end.Sub(p.began) - p.credit
	if due < paceSlice || p.paused >= p.most {
		return nil
	}
	time.Sleep(due)
	p.began = time.Now()
	slept := p.began.Sub(end)
	p.credit, p.paused = min(slept-due, maxPaceCredit), p.paused+slept
	return p.ctx.Err()
}

// pacedReader is a reader that pauses before each read.
type pacedReader struct {
	io.Reader
	pace *pacer
}

// Read is part of io.Reader.
func (r pacedReader) Read(b []byte) (int, error) {
	if err := r.pace.pause(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}
