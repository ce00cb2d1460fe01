package consumer

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/blocking"
	"sluice/consumer/budget"
	"sluice/consumer/clickhouse"
	"sluice/internal/backoff"
)

// A block that is too large goes in by pieces that are small enough, each row once and no row as a dead letter. The
// same holds for a range that an earlier owner had recorded, which cannot be cut anew. The range is marked before its
// first piece.
func TestTooLargeGoesInByParts(t *testing.T) {
	for name, err := range map[string]error{
		"241": &clickhouse.ServerError{Code: 241, Text: "Query memory limit exceeded: maximum: 28.61 MiB."}, "159": &clickhouse.ServerError{Code: 159, Text: "Timeout exceeded"},
		"290": &clickhouse.ServerError{Code: 290, Text: "Limit exceeded"}, "396": &clickhouse.ServerError{Code: 396, Text: "Limit exceeded"}, "158": &clickhouse.ServerError{Code: 158, Text: "Limit for rows"},
		"413": &clickhouse.ServerError{Status: http.StatusRequestEntityTooLarge, Text: "Request Entity Too Large"},
	} {
		for _, most := range []int{1, 2, 7, 10, 99, 100} {
			t.Run(fmt.Sprint(name, " ", most), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorker(t, func(w *worker) { w.cfg.BatchRows, w.size = 100, &budget.Size{} })
					w.table.inserts = always(fails)
					w.topic.add(100)
					w.start()
					pass(time.Minute)
					w.stop() // 0-99 is recorded
					w.table.inserts.change(succeeds)
					w.table.limit = func(rows int) error {
						if rows > most {
							return err
						}
						return nil
					}
					n := w.next(func(n *worker) { n.cfg.BatchRows, n.size = 100, &budget.Size{} })
					n.topic.add(100)
					n.start()
					pass(10 * time.Minute)
					n.onceBelow(200)
					if len(n.topic.letters) > 0 {
						t.Errorf("%d dead letters", len(n.topic.letters))
					}
					if most < 100 && !n.inOrder("insert 0-99 too large", "split 0-99", "commit 200") {
						t.Errorf("happened: %v", n.topic.journal.read())
					}
				})
			})
		}
	}
}

// If the server as a whole is short of memory, the partition waits: nothing is split, however long it lasts.
func TestServerShortOfMemory(t *testing.T) {
	for _, text := range []string{"(total) memory limit exceeded: would use 9 GiB", "Memory limit (total) exceeded: would use 9 GiB", "Memory limit (for server) exceeded"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t, func(w *worker) { w.size = &budget.Size{} })
			w.table.limit = func(int) error { return &clickhouse.ServerError{Code: 241, Text: text} }
			w.topic.add(10)
			w.start()
			pass(time.Hour)
			if w.blocked(blocking.ClickHouse) != 1 || w.happened("split 0-9") > 0 || w.happened("insert 0-4 too large") > 0 || w.size.Limit(1<<20) != 1<<20 {
				t.Errorf("blocked %v, happened %v", w.blocked(blocking.ClickHouse), w.topic.journal.read()[:5])
			}
			w.table.takesAll()
			pass(time.Minute)
			w.onceBelow(10)
		})
	}
}

// If even single rows are too large, the size is not at fault: the block is not cut into single rows, and goes in
// nearly whole once it fits.
func TestTooLargeForEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, func(w *worker) { w.cfg.BatchRows, w.size = 1000, &budget.Size{} })
		w.table.limit = func(int) error { return &clickhouse.ServerError{Code: 241, Text: "User memory limit exceeded"} }
		w.topic.add(1000)
		w.start()
		pass(time.Hour)
		if tries := len(w.topic.journal.read()); tries > 4*int(time.Hour/backoff.Max)+50 {
			t.Errorf("%d tries in an hour", tries)
		}
		if w.blocked(blocking.Setup) != 1 {
			t.Error("not blocked by the setup")
		}
		w.table.takesAll()
		before := len(w.topic.journal.read())
		pass(time.Minute)
		w.onceBelow(1000)
		if n := len(w.topic.journal.read()) - before; n > 6 {
			t.Errorf("%d steps afterwards: %v", n, w.topic.journal.read()[before:])
		}
	})
}

// The place of a row is the day of its id_time, or the month in a table of an earlier version. Its weight is that of its
// texts.
func TestPlacesAndWeights(t *testing.T) {
	b := blockOf(t,
		fromGateway(0, "demo", idV4(1), noon, `{"message":"a","timestamp":"2026-01-31T23:59:59Z"}`),
		fromGateway(1, "demo", idV4(2), noon, `{"message":"`+strings.Repeat("b", 1000)+`","timestamp":"2026-02-01T00:00:00Z"}`),
		fromGateway(2, "demo", idV4(3), noon, `{"message":"c","timestamp":"2026-02-28T00:00:00Z"}`),
	)
	days, places, weights := b.TablePartitions(false), b.TablePartitions(true), b.RowBytes()
	if days[0] == days[1] || days[1] == days[2] || days[0] >= 128 {
		t.Errorf("days %v", days)
	}
	if places[0] == places[1] || places[1] != places[2] {
		t.Errorf("places %v", places)
	}
	if weights[1] < weights[0]+1900 || weights[0] != weights[2] || int(weights[0]+weights[1]+weights[2]) > b.Bytes() {
		t.Errorf("weights %v of %d bytes", weights, b.Bytes())
	}
}

// The limit is one for the block. A block of small events is several times as large as the events, and the next ones
// become smaller all the same.
func TestBatchSizeOfSmallEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 600 // rows that ClickHouse takes
		w := newWorker(t, func(w *worker) { w.cfg.BatchRows, w.size = 10000, &budget.Size{} })
		w.table.limit = func(rows int) error {
			if rows > most {
				return &clickhouse.ServerError{Code: 241, Text: "Query memory limit exceeded: maximum: 28.61 MiB."}
			}
			return nil
		}
		w.topic.add(8000)
		w.start()
		pass(time.Hour)
		w.onceBelow(8000)
		before := len(w.topic.journal.read())
		w.topic.add(8000)
		pass(time.Hour)
		for _, l := range w.topic.journal.read()[before:] {
			if strings.HasSuffix(l, "too large") {
				t.Errorf("%s, with a limit of %d bytes", l, w.size.Limit(1<<30))
			}
		}
	})
}
