package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"time"
)

// parts are running parts of the pipeline that stop together, the last one first.
type parts struct {
	running []part
}

type part struct {
	stop context.CancelFunc
	done chan error
}

// start runs a part until parts.stop. A part that ends before that ends the pipeline.
func (p *parts) start(name string, fail context.CancelCauseFunc, run func(context.Context) error) {
	// Ctrl-C ends the pipeline's context. Each part has a context of its own, because parts stop one after the other.
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = fmt.Errorf("%s ended by itself", name)
			}
			fail(err)
			err = nil // fail has the error as its cause
		}
		done <- err
	}()
	p.running = append(p.running, part{stop: stop, done: done})
}

func (p *parts) stop() error {
	var first error
	for i := len(p.running) - 1; i >= 0; i-- {
		p.running[i].stop()
		if err := <-p.running[i].done; err != nil && first == nil {
			first = err
		}
	}
	p.running = nil
	return first
}

// waitFor waits until check returns nil.
func waitFor(ctx context.Context, check func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for check() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// logWriter turns lines into log records.
type logWriter struct {
	log  *slog.Logger
	what string
}

func (w logWriter) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		w.log.Info("prepared", "part", w.what, "text", string(bytes.TrimSpace(line)))
	}
	return len(text), nil
}
