package consumer

import (
	"context"
	"fmt"
	"log/slog"

	"sluice/consumer/clickhouse"
	"sluice/consumer/kafka"
	"sluice/internal/backoff"
)

// wait is a wait for something outside: it backs off, and says by what the partition is blocked, each cause once in the log and the reason
// in a gauge.
type wait struct {
	p       *partition
	loop    loop
	pause   backoff.Backoff
	blocked string
	causes  causes
}

func (p *partition) waits(loop loop) *wait { return &wait{p: p, loop: loop} }

// failed waits before the next try. It returns false when ctx ended.
func (w *wait) failed(ctx context.Context, reason string, err error) bool {
	p := w.p
	if ctx.Err() != nil {
		return false
	}
	if reason == blockedClickHouse && clickhouse.IsSetup(err) {
		reason = blockedSetup
	}
	text := "partition is blocked, retrying"
	if w.blocked != "" {
		text = "partition is blocked by something else now, retrying"
	}
	if reason != w.blocked {
		w.clear()
		w.blocked = reason
		p.metrics.blocked.WithLabelValues(reason).Inc()
		p.watch.blocked.Add(1)
	}
	if w.causes.note(reason, err) {
		attrs := []any{"partition", p.id, "by", reason, "err", clickhouse.ReasonText(err)}
		if advice := w.causes.advice(hintFor(reason, err)); advice != "" {
			attrs = append(attrs, "hint", advice)
		}
		p.log.Log(ctx, severity(reason, err), text, attrs...) //nolint:sloglint // the two above
	} else {
		p.log.Debug("partition is still blocked", "partition", p.id, "by", reason, "err", clickhouse.ReasonText(err))
	}
	return w.pause.Wait(ctx)
}

// failedRead is failed for a question to ClickHouse, which is counted with the inserts that it is part of. A refused question is about
// no row: unless it passes by itself, somebody must let the user ask.
func (w *wait) failedRead(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return false
	}
	w.p.metrics.insertErrors.WithLabelValues(clickhouse.CodeLabel(err)).Inc()
	err = fmt.Errorf("%w: %w", clickhouse.ErrRead, err)
	return w.failed(ctx, blockedRead(err), err)
}

func blockedRead(err error) string {
	switch clickhouse.FaultOf(err) {
	case clickhouse.FaultTransient:
		return blockedClickHouse
	case clickhouse.FaultSize:
		if code := clickhouse.Code(err); code == 159 || code == 160 || code == 173 {
			return blockedClickHouse
		}
	}
	return blockedSetup
}

// severity is an error's where somebody must act.
func severity(reason string, err error) slog.Level {
	if reason == blockedSetup || reason == blockedDead && kafka.Hint(err) != "" {
		return slog.LevelError
	}
	return slog.LevelWarn
}

// hintFor is hint for a partition that is blocked: what is no row's fault after all is the table's.
func hintFor(reason string, err error) string {
	if reason == blockedSetup && clickhouse.FaultOf(err) == clickhouse.FaultUnclear {
		return clickhouse.HintEverything
	}
	return hint(err)
}

// passed says that what was waited for is there.
func (w *wait) passed() {
	if w.blocked != "" {
		w.p.log.Info("partition goes on", "partition", w.p.id, "was_blocked_by", w.blocked, "tries", w.causes.tries, "causes", w.causes.summary())
	}
	w.clear()
	w.pause, w.causes = backoff.Backoff{}, causes{}
}

func (w *wait) clear() {
	if w.blocked != "" {
		w.p.metrics.blocked.WithLabelValues(w.blocked).Dec()
		w.p.watch.progress()
		w.p.watch.blocked.Add(-1)
		w.blocked = ""
	}
}

// until asks ClickHouse until it answers or ctx ends. The loop is the one that waits.
func (p *partition) until(ctx context.Context, loop loop, try func() error) error {
	w := p.waits(loop)
	defer w.passed()
	for {
		p.watch.beat(loop)
		err := try()
		if err == nil || !w.failedRead(ctx, err) {
			return err
		}
	}
}

// retry is until for what Kafka is asked; it returns false when ctx ended.
func (p *partition) retry(ctx context.Context, text string, try func() error) bool {
	var pause backoff.Backoff
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
		if !pause.Wait(ctx) {
			return false
		}
	}
}
