package consumer

import (
	"context"
	"fmt"
	"time"

	"sluice/consumer/alive"
	"sluice/consumer/blocking"
	"sluice/consumer/clickhouse"
	"sluice/consumer/observed"
	"sluice/internal/backoff"
	"sluice/internal/causes"
)

// outages log what all partitions of the process wait for together.
type outages struct {
	kafka      *observed.Log
	clickhouse *blocking.Outage
}

// blockage is a wait for something outside the process. It backs off between tries. It logs each cause once, an outage
// of ClickHouse together with the other partitions, and counts the partition in the gauge of what blocks it. One
// goroutine uses it.
type blockage struct {
	p      *partition
	loop   alive.Loop
	pause  backoff.Backoff
	next   time.Duration // of the next wait, if others wait equally long
	reason string        // empty: not blocked
	was    string        // the reason of the last line of its own
	ended  bool          // nobody waits any more
	causes causes.Log    // but those of an outage of ClickHouse, which all partitions have together
}

func (p *partition) newBlockage(loop alive.Loop) *blockage { return &blockage{p: p, loop: loop} }

// wait waits before the next try. It returns false if ctx ended.
func (w *blockage) wait(ctx context.Context, reason string, err error) bool {
	p := w.p
	if ctx.Err() != nil {
		w.ended = true
		return false
	}
	if reason == blocking.ClickHouse && clickhouse.FaultOf(err) == clickhouse.FaultSetup {
		reason = blocking.Setup
	}
	message := "partition is blocked, retrying"
	if w.reason != "" {
		message = "partition is blocked by something else now, retrying"
	}
	if reason != w.reason {
		w.clear()
		w.reason = reason
		p.metrics.blocked.WithLabelValues(reason).Inc()
		p.watch.Block()
		if reason == blocking.ClickHouse {
			p.outages.clickhouse.Begin()
		}
	}
	if reason == blocking.ClickHouse {
		p.outages.clickhouse.Failed(ctx, p.log, err)
	} else if w.was = reason; w.causes.Note(reason + " " + causes.Of(clickhouse.Code(err), err)) {
		attrs := []any{"by", reason, "err", clickhouse.ReasonText(err)}
		if advice := w.causes.Advice(blocking.Advice(reason, err)); advice != "" {
			attrs = append(attrs, "hint", advice)
		}
		p.log.Log(ctx, blocking.Severity(reason, err), message, attrs...) //nolint:sloglint // one of the two above
	} else {
		p.log.Debug("partition is still blocked", "by", reason, "err", clickhouse.ReasonText(err))
	}
	if next := w.next; next > 0 {
		w.next = 0
		w.ended = !backoff.Sleep(ctx, min(next, p.maxPause))
	} else {
		w.ended = !w.pause.WaitAtMost(ctx, p.maxPause)
	}
	return !w.ended
}

// waitAfterRead is wait after a question to ClickHouse, which counts with the inserts that need it. A refused question
// is not about a row: unless the refusal passes by itself, somebody must let the user ask.
func (w *blockage) waitAfterRead(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		w.ended = true
		return false
	}
	w.p.metrics.insertErrors.WithLabelValues(clickhouse.CodeLabel(err)).Inc()
	err = fmt.Errorf("%w: %w", clickhouse.ErrRead, err)
	return w.wait(ctx, blocking.ByRead(err), err)
}

// end says that the partition is not blocked any more.
func (w *blockage) end() {
	if w.causes.Tries() > 0 {
		w.p.log.Info("partition goes on", "was_blocked_by", w.was, "tries", w.causes.Tries(),
			"causes", w.causes.Summary())
	}
	w.clear()
	w.pause, w.causes = backoff.Backoff{}, causes.Log{}
}

func (w *blockage) clear() {
	if w.reason != "" {
		w.p.metrics.blocked.WithLabelValues(w.reason).Dec()
		w.p.watch.Unblock()
		if w.reason == blocking.ClickHouse {
			w.p.outages.clickhouse.End(!w.ended)
		}
		w.reason = ""
	}
}

// untilClickHouseAnswers tries until there is no error, or ctx ended. loop is the one that waits.
func (p *partition) untilClickHouseAnswers(ctx context.Context, loop alive.Loop, try func() error) error {
	w := p.newBlockage(loop)
	defer w.end()
	for {
		p.watch.Beat(loop)
		err := try()
		if err == nil || !w.waitAfterRead(ctx, err) {
			return err
		}
	}
}

// highest is the highest offset from one on that the table has. It asks until ClickHouse answers.
func (p *partition) highest(ctx context.Context, loop alive.Loop, from int64) (offset int64, err error) {
	err = p.untilClickHouseAnswers(ctx, loop, func() error {
		offset, err = p.table.Highest(ctx, p.topic, p.id, from)
		return err
	})
	return offset, err
}

// untilKafkaAnswers tries until there is no error. It returns false if ctx ended. The fetcher's goroutine calls it.
func (p *partition) untilKafkaAnswers(ctx context.Context, message string, try func() error) bool {
	var pause backoff.Backoff
	for {
		p.watch.Beat(alive.Fetch)
		err := try()
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		p.watch.Outside()
		p.log.Debug(message, "err", err) //nolint:sloglint // the callers' constants
		if !pause.Wait(ctx) {
			return false
		}
	}
}
