package consumer

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/alive"
	"sluice/consumer/blocking"
	"sluice/consumer/clickhouse"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
	"sluice/internal/backoff"
	"sluice/internal/recordbatch"
)

// With ClickHouse away, a partition holds the ranges that may be recorded and no more, however much the topic has and
// however long the outage lasts.
func TestMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(500)
		bytes := 0
		for _, r := range w.topic.records[:10*delivery.MaxRanges] {
			bytes += len(r.Value)
		}
		w.start()
		for range 100 {
			pass(10 * time.Second)
			w.topic.add(10)
		}
		if w.topic.delivered > 10*delivery.MaxRanges {
			t.Errorf("%d records were read, want at most %d batches", w.topic.delivered, delivery.MaxRanges)
		}
		if got := w.gauge(w.metrics.buffered); got == 0 || got > float64(bytes) {
			t.Errorf("%v bytes are said to be buffered, want at most %d", got, bytes)
		}
		w.table.inserts.change(succeeds)
		pass(time.Minute)
		if w.topic.at() != 1500 {
			t.Errorf("committed %d of 1500 after ClickHouse came back", w.topic.at())
		}
		if got := w.gauge(w.metrics.buffered); got != 0 {
			t.Errorf("%v bytes are said to be buffered with nothing left to do", got)
		}
	})
}

// With ClickHouse away, a trickle of records does not fill the memory: the partition leaves them on the topic.
func TestBlockedPartitionStopsFetching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, func(w *worker) { w.cfg.BatchRows = 1000 })
		w.table.inserts = always(fails)
		w.start()
		for range 600 { // ten minutes of three events a second
			w.topic.add(3)
			pass(time.Second)
		}
		// Two ranges are being inserted, of at most two seconds each, and one is gathered.
		if w.topic.delivered > 3*2*3 {
			t.Errorf("%d of 1800 records were read", w.topic.delivered)
		}
		w.table.inserts.change(succeeds)
		pass(time.Minute)
		if w.topic.at() != 1800 {
			t.Errorf("committed %d of 1800 after ClickHouse came back", w.topic.at())
		}
	})
}

// The gauge names what blocks the partition, changes with the reason, and falls to 0 when the partition goes on.
func TestBlockedGauge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		gauges := func(server, setup float64) {
			t.Helper()
			if c, s := w.blocked(blocking.ClickHouse), w.blocked(blocking.Setup); c != server || s != setup {
				t.Errorf("blocked by clickhouse %v, by setup %v; want %v and %v", c, s, server, setup)
			}
		}
		w.start()
		gauges(0, 0)
		w.table.inserts.change(fails)
		w.topic.add(10)
		synctest.Wait()
		gauges(1, 0)
		pass(time.Minute)
		gauges(1, 0) // once, not once a try
		w.table.inserts.change(outcome{err: &clickhouse.ServerError{Code: 60, Text: "no such table"}})
		pass(time.Minute)
		gauges(0, 1)
		w.table.inserts.change(fails)
		pass(time.Minute)
		gauges(1, 0)
		w.table.inserts.change(succeeds)
		pass(time.Minute)
		gauges(0, 0)
	})
}

// The pauses between retries grow up to a bound.
func TestRetriesBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(10)
		w.start()
		pass(time.Hour)
		tries := w.happened("insert 0-9 failed")
		if least, most := int(time.Hour/backoff.Max), int(2*time.Hour/backoff.Max)+20; tries < least || tries > most {
			t.Errorf("%d tries in an hour, want %d to %d", tries, least, most)
		}
	})
}

// A partition that waits for something outside the process is alive, whatever it waits for.
func TestLiveWhileBlocked(t *testing.T) {
	for name, block := range map[string]func(*worker){
		"clickhouse":   func(w *worker) { w.table.inserts = always(fails) },
		"setup":        func(w *worker) { w.table.inserts = always(outcome{err: &clickhouse.ServerError{Code: 516}}) },
		"dead letters": func(w *worker) { w.topic.put(recordbatch.Record{}); w.topic.burials = always(fails) },
		"commit":       func(w *worker) { w.topic.commits = always(fails) },
		"kafka":        func(w *worker) { w.topic.fetches = always(fails) },
		"first offset": func(w *worker) { w.topic.head = -1; w.topic.firsts = always(fails) },
		"lost":         func(w *worker) { w.topic.commits = always(outcome{err: kafka.ErrNotOwner}) },
		"idle":         func(*worker) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				block(w)
				if name != "idle" {
					w.topic.add(35)
				}
				c := &Consumer{owned: map[int]*partition{}}
				c.own(w.partition)
				w.start()
				for range 60 {
					pass(time.Minute)
					if err := c.Live(); err != nil {
						t.Fatal(err)
					}
				}
				w.stop()
				c.disown(w.partition)
				pass(time.Hour)
				if err := c.Live(); err != nil {
					t.Errorf("a partition that is not ours counts: %v", err)
				}
			})
		})
	}
}

// A goroutine that stands still fails liveness.
func TestStandingStill(t *testing.T) {
	for name, hang := range map[string]func(*worker) chan struct{}{
		"fetch": func(w *worker) chan struct{} { w.topic.stuck = make(chan struct{}); return w.topic.stuck },
		"insert": func(w *worker) chan struct{} {
			w.table.hold, w.table.deaf = make(chan struct{}), true
			return w.table.hold
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				release := hang(w)
				w.topic.add(10)
				c := &Consumer{owned: map[int]*partition{}}
				c.own(w.partition)
				w.start()
				pass(clickhouse.InsertTimeout)
				if err := c.Live(); err != nil {
					t.Errorf("an insert may take its timeout: %v", err)
				}
				pass(alive.Stalled - clickhouse.InsertTimeout + time.Second)
				if err := c.Live(); err == nil || !strings.Contains(err.Error(), "partition 0") {
					t.Errorf("a loop stood still for %s, and liveness says %v", alive.Stalled, err)
				}
				close(release)
			})
		})
	}
}

// Two partitions of one consumer share the gauges: each takes back what it added, and no more.
func TestGaugesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := newWorker(t)
		two := newWorker(t, func(w *worker) { w.metrics = one.metrics })
		for _, w := range []*worker{one, two} {
			w.table.inserts = always(fails)
			w.topic.add(10)
			w.start()
		}
		if got := one.blocked(blocking.ClickHouse); got != 2 {
			t.Errorf("%v partitions are said to be blocked, want 2", got)
		}
		for _, w := range []*worker{one, two} {
			w.table.inserts.change(succeeds)
		}
		pass(time.Minute)
		if got := one.blocked(blocking.ClickHouse); got != 0 {
			t.Errorf("%v partitions are said to be blocked, want none", got)
		}
		if got := testutil.ToFloat64(one.metrics.rows); got != 20 {
			t.Errorf("%v rows counted, want 20", got)
		}
	})
}
