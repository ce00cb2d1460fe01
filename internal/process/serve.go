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

// Service is what Serve gives a long-running program: its log, its metrics registry and its version.
type Service struct {
	Log     *slog.Logger
	Metrics *prometheus.Registry
	Version string
}

// Serve calls run with a log that never blocks. A slow, stuck or missing reader of the log costs lines and never delays
// the service. The metric sluice_log_lines_dropped_total counts these lines. Repeated lines are summed up. Serve
// returns run's error, after the last lines were read or a second has passed.
func Serve(ctx context.Context, program string, cfg Log, logTo io.Writer,
	run func(context.Context, Service) error) error {
	defer keepThroughBrokenPipes()()
	return serve(ctx, program, cfg, logTo, run)
}

func serve(ctx context.Context, program string, cfg Log, logTo io.Writer,
	run func(context.Context, Service) error) error {
	cfg = cfg.resolve(logTo)
	out := newLogWriter(logTo, cfg.lostLine)
	summed := newRepeats(cfg.handler(out))
	registry := Registry(program)
	registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "sluice_log_lines_dropped_total",
		Help: "Log lines dropped because the log's reader was too slow or the write failed.",
	}, out.lines))

	writing, stopWriting := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWriting()
	go out.run(writing) // not waited for: a write to a stuck pipe ends only with the process
	defer out.flush(logFlush)

	summing, stopSumming := context.WithCancel(context.WithoutCancel(ctx))
	var sums sync.WaitGroup
	sums.Go(func() { summed.seen.run(summing) })
	defer sums.Wait()
	defer stopSumming()
	version, _ := Version()
	return run(ctx, Service{Log: slog.New(summed), Metrics: registry, Version: version})
}

// lostLine returns the log line that tells how many lines were dropped.
func (l Log) lostLine(lines int) []byte {
	var line bytes.Buffer
	slog.New(l.handler(&line)).Warn("log lines dropped: the reader of the log is too slow", "lines", lines)
	return line.Bytes()
}

// keepThroughBrokenPipes prevents SIGPIPE from ending the process when the reader of standard output or standard error
// is gone. The write returns an error instead. The result undoes this.
func keepThroughBrokenPipes() (undo func()) {
	broken := make(chan os.Signal, 1) // never read: the write's own error is enough
	signal.Notify(broken, syscall.SIGPIPE)
	return func() { signal.Stop(broken) }
}
