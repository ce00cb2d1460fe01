package audit

import (
	"context"
	"log/slog"
	"time"

	"sluice/internal/backoff"
)

// Watcher makes audits again and again.
type Watcher struct {
	Auditor *Auditor
	// Every is the time from the beginning of one audit to that of the next.
	Every   time.Duration
	Metrics *Metrics
	Log     *slog.Logger
	// Each is called with each report.
	Each func(*Report)

	last  string // result
	count int64  // of unaccounted records
}

// Run makes audits until ctx ends. It logs a line when the result changes, not at each audit.
func (w *Watcher) Run(ctx context.Context) error {
	for {
		began := time.Now()
		report, err := w.Auditor.Audit(ctx)
		if ctx.Err() != nil {
			return nil
		}
		w.Metrics.observe(report, time.Since(began))
		w.say(report, err)
		if report != nil && w.Each != nil {
			w.Each(report)
		}
		if !backoff.Sleep(ctx, time.Until(began.Add(w.Every))) {
			return nil
		}
	}
}

// say logs a result that differs from the last one.
func (w *Watcher) say(report *Report, err error) {
	result, count := errorResult, int64(0)
	if report != nil {
		result, count = string(report.Verdict()), report.Total.Unaccounted
	}
	if result == w.last && count == w.count {
		return
	}
	w.last, w.count = result, count
	switch result {
	case errorResult:
		w.Log.Warn("the audit could not be made", "err", err)
	case string(Unaccounted):
		for _, a := range report.Accounts {
			if a.Unaccounted > 0 {
				w.Log.Error("records are unaccounted for", "partition", a.Partition, "records", a.Unaccounted,
					"first_offset", a.Missing[0].Offset)
			}
		}
	case string(Incomplete):
		w.Log.Warn("not all records without a row were looked up", "unchecked", report.Total.Unchecked,
			"hint", "raise --max-lookups")
	default:
		w.Log.Info("every record is accounted for", "records", report.Total.Records, "seconds", report.Seconds)
	}
}
