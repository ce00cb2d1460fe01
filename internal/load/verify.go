package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/internal/backoff"
)

// store holds the rows of runs. Its user calls it from one goroutine.
type store interface {
	// count returns the number of the run's rows in sluice.events, after merging resends, as readers see them.
	count(ctx context.Context, run string) (int64, error)
	// rows calls fn for each row of the run, in any order, and stops at fn's first error. fn must not keep the row.
	rows(ctx context.Context, run string, fn func(*row) error) error
	// close closes the connection.
	close() error
}

// verifier compares a ledger with a store.
type verifier struct {
	gen          contents
	ledger       *ledger
	claimed      int64 // number of indexes handed out
	acknowledged int64
	store        store
	project      string // "": the project of the first row
	timeout      time.Duration
	settle       time.Duration
	note         func(format string, args ...any)
}

// verify is the second half of a run. Its result includes its own failure, because the report about sending is useful
// anyway.
func (r *run) verify(ctx context.Context, rows store, acknowledged int64) *Verification {
	v := &verifier{
		gen: r.gen, ledger: r.ledger, claimed: r.source.claimed(), acknowledged: acknowledged, store: rows,
		project: r.cfg.Project, timeout: r.cfg.VerifyTimeout, settle: r.cfg.VerifySettle, note: r.progress.note,
	}
	start := time.Now()
	result, err := v.await(ctx)
	if err != nil {
		result.Error = err.Error()
	}
	result.Acknowledged = acknowledged
	result.Seconds = time.Since(start).Seconds()
	return &result
}

// await compares as soon as the rows seem complete, and for the last time after no row arrived within the timeout.
//
// Enough rows may not be all rows, because ambiguous events with a row count too. So await compares again after more
// rows arrived. And a late copy of a retry may add another row, which readers must not see. So await compares only
// after the number of rows stayed the same for a while.
func (v *verifier) await(ctx context.Context) (Verification, error) {
	var result Verification
	seen, compared := int64(-1), int64(-1)
	changed, noted := time.Now(), time.Now()
	for {
		asked := time.Now()
		n, err := v.store.count(ctx, v.gen.name())
		now := time.Now()
		if err == nil && n != seen {
			seen, changed = n, now
		}
		quiet := now.Sub(changed)
		last := quiet >= v.timeout
		if err == nil && n != compared && (last || n >= v.acknowledged && quiet >= v.settle) {
			if result, err = v.compare(ctx); err == nil {
				compared = n
				if result.Missing == 0 {
					return result, nil
				}
			}
		}
		if ctx.Err() != nil {
			return result, errors.New("interrupted")
		}
		if last {
			return result, err
		}
		if now.Sub(noted) >= lineEvery {
			noted = now
			v.note("verifying: %d of %d rows", max(seen, 0), v.acknowledged)
		}
		backoff.Sleep(ctx, pollInterval(now.Sub(asked), v.settle)) // the next count sees that ctx ended
	}
}

// pollInterval leaves the server four fifths of its time for the awaited inserts.
func pollInterval(took, settle time.Duration) time.Duration {
	return min(max(4*took, min(settle/3, 500*time.Millisecond), time.Millisecond), 5*time.Second)
}

// compare reads all rows of the run and classifies them.
func (v *verifier) compare(ctx context.Context) (Verification, error) {
	v.ledger.forget()
	c := comparison{verifier: v, project: v.project}
	if err := v.store.rows(ctx, v.gen.name(), c.row); err != nil {
		return c.result, fmt.Errorf("read the rows: %w", err)
	}
	v.ledger.each(v.claimed, func(index int64, m mark) {
		switch {
		case m&acknowledged != 0 && m&stored != 0:
			c.result.Stored++
		case m&acknowledged != 0:
			c.result.Missing++
			c.example("missing", v.gen.id(index), "acknowledged, event %d of the run", index)
		case m&stored != 0 && m&maybe != 0:
			c.result.AmbiguousStored++
		}
	})
	return c.result, nil
}
