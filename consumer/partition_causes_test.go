package consumer

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/blocking"
	"sluice/consumer/clickhouse"
)

// Each cause of a blockage is logged once, and the end of the blockage says how often each came. The next blockage
// begins anew. An outage of ClickHouse ends where another reason takes its place.
func TestEachCauseIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		w := newWorker(t, func(w *worker) {
			w.log = slog.New(slog.NewTextHandler(log, nil))
			w.outages.clickhouse = blocking.NewOutage(w.log)
		})
		w.start()
		for round := 1; round <= 2; round++ {
			for _, err := range []error{
				fmt.Errorf("%w: %w", clickhouse.ErrNotSent, errors.New("dial tcp 10.0.0.1:9000: connection refused")),
				fmt.Errorf("%w: %w", clickhouse.ErrNotSent, errors.New("EOF")),
				fmt.Errorf("%w: %w", clickhouse.ErrNotSent, errors.New("dial tcp 10.0.0.2:9001: connection refused")),
				&clickhouse.ServerError{Code: 202, Text: "Too many simultaneous queries"},
				&clickhouse.ServerError{Code: 497, Text: "Not enough privileges"},
				&clickhouse.ServerError{Code: 202, Text: "Too many simultaneous queries"},
			} {
				w.table.inserts.change(outcome{err: err})
				if w.topic.at() == w.topic.next() {
					w.topic.add(10)
				}
				pass(time.Minute)
			}
			w.table.inserts.change(succeeds)
			pass(time.Minute)
			text := log.String()
			for line, times := range map[string]int{
				`connection refused"`: 1, `EOF"`: 1, `Too many simultaneous queries"`: 2, `Not enough privileges"`: 1,
				"clickhouse does not answer": 4, "clickhouse answers again": 2, "is blocked by something else": 1,
				"was_blocked_by=setup": 1, "code 497: ": 1,
			} {
				if n := strings.Count(text, line); n != times*round {
					t.Errorf("round %d: %d times %q, want %d:\n%s", round, n, line, times*round, text)
				}
			}
		}
	})
}

// A refused read counts in the metrics, is logged, and counts as a fault of the setup.
func TestRefusedReadIsSaid(t *testing.T) {
	for code, by := range map[int]string{277: blocking.Setup, 158: blocking.Setup, 307: blocking.Setup, 396: blocking.Setup, 164: blocking.Setup, 12345: blocking.Setup, 159: blocking.ClickHouse, 202: blocking.ClickHouse} {
		synctest.Test(t, func(t *testing.T) {
			log := &lines{}
			w := newWorker(t, func(w *worker) { w.log = slog.New(slog.NewTextHandler(log, nil)) })
			w.table.inserts = plans(losesTail)
			w.topic.add(10)
			w.topic.head = 0
			w.table.reads = plans(succeeds)
			w.table.reads.then = outcome{err: &clickhouse.ServerError{Code: code, Text: fmt.Sprintf("Code: %d. setting 'force_primary_key' is set", code)}}
			w.start()
			pass(time.Minute)
			if w.blocked(by) != 1 {
				t.Errorf("%d: blocked by %s: %v", code, by, w.blocked(by))
			}
			if got := w.gauge(w.metrics.insertErrors.WithLabelValues(fmt.Sprint(code))); got < 2 {
				t.Errorf("%d was counted %v times", code, got)
			}
			text := log.String()
			if !strings.Contains(text, "compare with the table") || code == 277 && !strings.Contains(text, "hint=\"the user's profile must allow force_primary_key") {
				t.Errorf("said:\n%s", text)
			}
			w.table.reads.change(succeeds)
			pass(time.Minute)
			w.onceBelow(10)
		})
	}
}
