package blocking

import (
	"context"
	"log/slog"
	"sync"

	"sluice/consumer/clickhouse"
	"sluice/internal/causes"
)

// Outage logs an outage of ClickHouse for all partitions of a process together: each cause once, and the end once. It is
// safe for concurrent use.
type Outage struct {
	log *slog.Logger

	mu      sync.Mutex
	causes  causes.Log // since the last end
	waiting int
}

// NewOutage makes an Outage that logs its end to log.
func NewOutage(log *slog.Logger) *Outage { return &Outage{log: log} }

// Begin takes that one more wait for ClickHouse has begun.
func (o *Outage) Begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting++
}

// Failed takes an error that somebody waits for the end of. It logs a new cause to log, which names the partition.
func (o *Outage) Failed(ctx context.Context, log *slog.Logger, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.causes.Note(causes.Of(clickhouse.Code(err), err)) {
		log.Debug("partition still waits for clickhouse", "err", clickhouse.ReasonText(err))
		return
	}
	attrs := []any{"err", clickhouse.ReasonText(err)}
	if advice := o.causes.Advice(Advice(ClickHouse, err)); advice != "" {
		attrs = append(attrs, "hint", advice)
	}
	log.Log(ctx, Severity(ClickHouse, err), "clickhouse does not answer as it should, retrying", attrs...)
}

// End takes that a wait is over: because ClickHouse answered, or because the partition was given up.
func (o *Outage) End(answered bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.waiting--; o.waiting > 0 {
		return
	}
	if answered {
		o.log.Info("clickhouse answers again", "tries", o.causes.Tries(), "causes", o.causes.Summary())
	}
	o.causes = causes.Log{}
}
