package process

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
)

// Service is what a long-running program works with: its log and its metrics.
type Service struct {
	Log     *slog.Logger
	Metrics *prometheus.Registry
}

// Serve runs a long-running program's work with a log that never blocks it. A reader of the log that is slow, stuck or gone
// costs log lines, which are counted in sluice_log_lines_dropped_total, and never the service. Lines that repeat are summed up.
// Serve returns what run returns, after the last lines were read or a second has passed.
func Serve(ctx context.Context, program string, cfg Log, logTo io.Writer, run func(context.Context, Service) error) error {
	defer keepThroughBrokenPipes()()
	return serve(ctx, program, cfg, logTo, run)
}

func serve(ctx context.Context, program string, cfg Log, logTo io.Writer, run func(context.Context, Service) error) error {
	out := newLogWriter(logTo, cfg.lostLine)
	summed := newRepeats(cfg.handler(out))
	registry := Registry(program)
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "sluice_log_lines_dropped_total", Help: "Log lines that nobody read in time, or that could not be written.",
	}, out.lines))

	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	go out.run(writing) // not waited for: a write to a stuck pipe ends with the process only
	defer out.flush(logFlush)

	summing, stopSumming := context.WithCancel(context.WithoutCancel(ctx))
	var sums sync.WaitGroup
	sums.Go(func() { summed.seen.run(summing) })
	defer sums.Wait()
	defer stopSumming()
	return run(ctx, Service{Log: slog.New(summed), Metrics: registry})
}

// lostLine is the log line that says how many lines were lost.
func (l Log) lostLine(lines int) []byte {
	var line bytes.Buffer
	slog.New(l.handler(&line)).Warn("log lines were dropped: the log is not read fast enough", "lines", lines)
	return line.Bytes()
}

// keepThroughBrokenPipes makes a write to standard output or standard error whose reader has gone fail, instead of ending the
// process by SIGPIPE in the middle of its work. The result undoes it.
func keepThroughBrokenPipes() (undo func()) {
	broken := make(chan os.Signal, 1) // nobody reads it: the write's own error is enough
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}
