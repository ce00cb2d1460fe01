package process

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

const (
	// logRoom is how many bytes of log lines may wait for a reader that is slow or stuck. Lines beyond that are dropped.
	logRoom = 1 << 20
	// logFlush is how long a program that ends waits for its last lines to be read.
	logFlush = time.Second
)

// logWriter writes log lines without ever making the caller wait. Lines go into a buffer of logRoom bytes, and run writes the
// buffer to the destination. When a pipe's reader stops reading, the buffer fills up and further lines are dropped and counted.
// As soon as the reader continues, a line says how many were lost.
type logWriter struct {
	to   io.Writer
	lost func(lines int) []byte // the line that says how many were lost

	mu      sync.Mutex
	waiting []byte
	dropped int // lines, since the last line that said so
	total   int // lines dropped so far
	writing bool

	more chan struct{} // holds a value while there may be something to write
	idle chan struct{} // holds a value after everything was written
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

// drop counts lines as lost. The caller holds the lock.
func (w *logWriter) drop(lines []byte) {
	n := max(1, bytes.Count(lines, []byte("\n")))
	w.dropped += n
	w.total += n
}

// lines is how many lines were dropped so far.
func (w *logWriter) lines() float64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return float64(w.total)
}

// run writes what waits until ctx ends. A destination that blocks for ever blocks run for ever, and nobody else.
func (w *logWriter) run(ctx context.Context) {
	var spare []byte
	for {
		batch := w.take(spare)
		spare = batch[:0] // the two buffers change places each time, also when there was nothing to write
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

// take removes what waits and leaves an empty buffer in its place.
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

// write writes a batch. Lines that the destination refuses, as a pipe without a reader does, are lost and counted.
func (w *logWriter) write(batch []byte) {
	n, err := w.to.Write(batch)
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.total += bytes.Count(batch[min(n, len(batch)):], []byte("\n"))
	}
}

// flush waits until every line taken so far is written, for at most the given time.
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

// wake leaves a value in a channel with room for one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
