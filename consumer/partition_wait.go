package consumer

import (
	"context"
	"log/slog"
)

// wait is a wait for something outside: it backs off, and says by what the partition is blocked, in the log once and in a gauge.
type wait struct {
	p       *partition
	loop    loop
	pause   backoff
	blocked string
}

func (p *partition) waits(loop loop) *wait { return &wait{p: p, loop: loop} }

// failed waits before the next try. It returns false when ctx ended.
func (w *wait) failed(ctx context.Context, reason string, err error) bool {
	p := w.p
	if ctx.Err() != nil {
		return false
	}
	level := slog.LevelWarn
	if reason == blockedClickHouse && isSetup(err) {
		reason = blockedSetup
	}
	if reason == blockedSetup {
		level = slog.LevelError
	}
	if reason != w.blocked {
		w.clear()
		w.blocked = reason
		p.metrics.blocked.WithLabelValues(reason).Inc()
		p.watch.blocked.Add(1)
		p.log.Log(ctx, level, "partition is blocked, retrying", "partition", p.id, "by", reason, "err", err, "hint", hint(err))
	} else {
		p.log.Debug("partition is still blocked", "partition", p.id, "by", reason, "err", err)
	}
	return w.pause.wait(ctx)
}

// passed says that what was waited for is there.
func (w *wait) passed() {
	if w.blocked != "" {
		w.p.log.Info("partition goes on", "partition", w.p.id, "was_blocked_by", w.blocked)
	}
	w.clear()
	w.pause = backoff{}
}

func (w *wait) clear() {
	if w.blocked != "" {
		w.p.metrics.blocked.WithLabelValues(w.blocked).Dec()
		w.p.watch.progress()
		w.p.watch.blocked.Add(-1)
		w.blocked = ""
	}
}

// until tries something outside until it succeeds or ctx ends, at the start of a partition.
func (p *partition) until(ctx context.Context, reason string, try func() error) error {
	w := p.waits(loopFetch)
	defer w.passed()
	for {
		p.watch.beat(loopFetch)
		err := try()
		if err == nil || !w.failed(ctx, reason, err) {
			return err
		}
	}
}

// retry is until for what Kafka is asked; it returns false when ctx ended.
func (p *partition) retry(ctx context.Context, text string, try func() error) bool {
	var pause backoff
	for {
		p.watch.beat(loopFetch)
		err := try()
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		p.watch.outside()
		p.log.Warn(text, "partition", p.id, "err", err) //nolint:sloglint // the callers' constants
		if !pause.wait(ctx) {
			return false
		}
	}
}
