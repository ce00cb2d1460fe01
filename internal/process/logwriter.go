package process

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

const (
	// logRoom is how many bytes of log lines may wait for a slow or stuck reader. Further lines are dropped.
	logRoom = 1 << 20
	// logFlush is how long an ending program waits until its last lines are read.
	logFlush = time.Second
)

// logWriter writes log lines without ever blocking the caller. Write puts lines into a buffer of logRoom bytes, and run
// writes the buffer to the destination. If the reader of a pipe stops, the buffer fills, and further lines are dropped
// and counted. When the reader continues, logWriter logs how many lines it dropped.
type logWriter struct {
	to   io.Writer
	lost func(lines int) []byte // builds the line that tells how many lines were dropped

	mu      sync.Mutex
	waiting []byte
	dropped int // lines dropped since the last such line
	total   int // lines dropped so far
	writing bool

	more chan struct{} // holds a value while there may be lines to write
	idle chan struct{} // holds a value after every line was written
}

func newLogWriter(to io.Writer, lost func(int) []byte) *logWriter {
	return &logWriter{to: to, lost: lost, more: make(chan struct{}, 1), idle: make(chan struct{}, 1)}
}

// Write takes one or more whole lines. It never blocks and never fails.
func (w *logWriter) Write(lines []byte) (int, error) {
	w.mu.Lock()
	if len(w.waiting)+len(lines) > logRoom {
		w.drop(lines)
	} else {
		w.waiting = append(w.waiting, lines...)
	}
	w.mu.Unlock()
	wake(w.more)
	return len(lines), nil
}

// drop counts lines as dropped. The caller holds the lock.
func (w *logWriter) drop(lines []byte) {
	n := max(1, bytes.Count(lines, []byte("\n")))
	w.dropped += n
	w.total += n
}

// lines returns the number of lines dropped so far.
func (w *logWriter) lines() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return float64(w.total)
}

// run writes the waiting lines until ctx ends. A destination that blocks forever blocks only run.
func (w *logWriter) run(ctx context.Context) {
	var spare []byte
	for {
		batch := w.take(spare)
		spare = batch[:0] // the buffers swap on every turn, even without lines to write
		if len(batch) > 0 {
			w.write(batch)
			continue
		}
		wake(w.idle)
		select {
		case <-w.more:
		case <-ctx.Done():
			return
		}
	}
}

// take returns the waiting lines and puts the empty buffer spare in their place.
func (w *logWriter) take(spare []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := w.waiting
	w.waiting = spare
	if w.dropped > 0 {
		batch = append(batch, w.lost(w.dropped)...)
		w.dropped = 0
	}
	w.writing = len(batch) > 0
	return batch
}

// write writes a batch to the destination. Lines that the destination refuses, for instance a pipe without a reader,
// count as dropped.
func (w *logWriter) write(batch []byte) {
	n, err := w.to.Write(batch)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.total += bytes.Count(batch[min(n, len(batch)):], []byte("\n"))
	}
}

// flush waits until every line is written, for at most the time given.
func (w *logWriter) flush(most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for {
		w.mu.Lock()
		done := len(w.waiting) == 0 && w.dropped == 0 && !w.writing
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-w.idle:
		case <-timer.C:
			return
		}
	}
}

// wake puts a value into a channel with capacity one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
