package erased

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/consumer/clickhouse"
	"sluice/consumer/rows"
	"sluice/internal/erasure"
	"sluice/internal/outcome"
)

const (
	// Step is the name under which erased events count as dropped.
	Step = "erased"
	// ListAge is how old the list may be that an insert goes by.
	ListAge = 10 * time.Second
)

// Inner is the table of the rows, and of the erasures.
//
// The implementer owes: what clickhouse.Table says of the methods with these names. Erasures returns all
// erasures that were complete when it was called.
type Inner interface {
	Insert(ctx context.Context, token string, blocks ...*rows.Block) error
	Missing(ctx context.Context, topic string, partition int, b *rows.Block) ([]int32, error)
	Highest(ctx context.Context, topic string, partition int, from int64) (int64, error)
	Held(ctx context.Context, topic string, partition int, from, to int64) (int64, error)
	InsertOutcomes(ctx context.Context, rows []outcome.Row) error
	Erasures(ctx context.Context) ([]erasure.Mark, error)
	ByMonth(ctx context.Context) (bool, error)
	ShardOf(ctx context.Context, b *rows.Block) ([]int, error)
	Column(ctx context.Context, why error) string
	Close()
}

// Table is a table that takes no erased rows. It is safe for concurrent use.
type Table struct {
	Inner

	log     *slog.Logger
	known   prometheus.Gauge
	reading chan struct{} // holds the one caller that reads
	memo    memo

	mu     sync.Mutex
	list   *erasure.List
	readAt time.Time
	denied bool // the user may not read the list, and the log says so
}

// Around returns a table that holds erased rows back from another one. It reads nothing before the first insert. The
// gauge that it returns as well is for the caller to register.
func Around(inner Inner, log *slog.Logger) (*Table, prometheus.Collector) {
	known := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "sluice_consumer_erasures",
		Help: "Erasures that this consumer knows of; -1: it may not read them, and inserts erased events that come again.",
	})
	return &Table{Inner: inner, log: log, known: known, reading: make(chan struct{}, 1)}, known
}

// Insert is Inner.Insert for the rows that are not erased. If all are, it sends nothing and returns nil.
func (t *Table) Insert(ctx context.Context, token string, blocks ...*rows.Block) error {
	list, err := t.current(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", clickhouse.ErrNotSent, err)
	}
	var left []*rows.Block
	for _, b := range blocks {
		gone := t.memo.rowsOf(list, b)
		switch {
		case len(gone) == 0:
			left = append(left, b)
		case len(gone) < b.Rows():
			left = append(left, b.Pick(others(b.Rows(), gone)))
		}
	}
	if len(left) == 0 {
		return nil
	}
	return t.Inner.Insert(ctx, token, left...)
}

// Missing is Inner.Missing without the rows that are erased.
func (t *Table) Missing(ctx context.Context, topic string, partition int, b *rows.Block) ([]int32, error) {
	list, err := t.current(ctx)
	if err != nil {
		return nil, err
	}
	missing, err := t.Inner.Missing(ctx, topic, partition, b)
	if err != nil || len(missing) == 0 {
		return missing, err
	}
	return without(missing, t.memo.rowsOf(list, b)), nil
}

// Erased lists the rows of b, ascending, that are erased by the list that was read last.
func (t *Table) Erased(b *rows.Block) []int32 {
	t.mu.Lock()
	list := t.list
	t.mu.Unlock()
	return t.memo.rowsOf(list, b)
}

// InsertOutcomes is Inner.InsertOutcomes without the counts of projects that were erased as a whole.
func (t *Table) InsertOutcomes(ctx context.Context, counts []outcome.Row) error {
	list, err := t.current(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", clickhouse.ErrNotSent, err)
	}
	if list != nil {
		counts = countsWithout(list, counts)
	}
	if len(counts) == 0 {
		return nil
	}
	return t.Inner.InsertOutcomes(ctx, counts)
}

// current returns the list, and reads it if it is too old. One caller at a time reads; the others wait.
func (t *Table) current(ctx context.Context) (*erasure.List, error) {
	if list, ok := t.fresh(); ok {
		return list, nil
	}
	select {
	case t.reading <- struct{}{}:
		defer func() { <-t.reading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if list, ok := t.fresh(); ok {
		return list, nil
	}
	began := time.Now()
	marks, err := t.Inner.Erasures(ctx)
	denied := clickhouse.MayNotRead(err)
	if err != nil && !denied {
		return nil, fmt.Errorf("read the erasures: %w", err)
	}
	list := erasure.NewList(marks)
	t.mu.Lock()
	defer t.mu.Unlock()
	if denied {
		list = t.list // of when the user still could
	}
	t.report(list, denied, err)
	t.list, t.readAt = list, began
	return list, nil
}

func (t *Table) fresh() (*erasure.List, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.list, !t.readAt.IsZero() && time.Since(t.readAt) < ListAge
}

// report tells log and metric what a read has shown. The lock is held.
func (t *Table) report(list *erasure.List, denied bool, err error) {
	if denied {
		t.known.Set(-1)
		if !t.denied {
			t.log.Error("the erasures cannot be read: erased events that come again are inserted again",
				"err", clickhouse.ReasonText(err), "hint", "grant the user SELECT on "+clickhouse.ErasuresTable)
		}
	} else {
		t.known.Set(float64(list.Len()))
		if list.Len() != t.list.Len() {
			t.log.Info("erasures read", "known", list.Len())
		}
	}
	t.denied = denied
}
