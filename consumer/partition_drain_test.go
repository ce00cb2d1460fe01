package consumer

import (
	"sluice/consumer/clickhouse"
	"sluice/internal/recordbatch"
	"testing"
	"testing/synctest"
	"time"
)

// The generation ends during inserts: those are finished and committed; what is recorded and not begun, and what is not
// recorded, is the next owner's.
func TestDrainFinishesTheInsert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.hold = make(chan struct{})
		w.topic.add(45) // two batches being inserted, two recorded, and more on the topic
		w.start()
		w.end()
		pass(drainBudget - time.Second)
		w.expect("")
		close(w.table.hold)
		w.stop()
		w.inserted(20, "0-9", "10-19")
		if spans := w.topic.spans; len(spans) != 2 || spans[0].First != 20 || spans[1].Last != 39 {
			t.Errorf("left to the next owner: %+v", spans)
		}
	})
}

// Records that no batch was sealed of are neither inserted nor committed by the stop.
func TestDrainLeavesWhatIsNotSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(14)
		w.start()
		w.expect("insert 0-9")
		start := time.Now()
		w.stop()
		w.expect("insert 0-9, commit 10")
		if took := time.Since(start); took > 0 {
			t.Errorf("a stop with nothing under way took %s", took)
		}
	})
}

// An insert that is not done within the drain budget is abandoned, and nothing is committed for it.
func TestDrainBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.hold = make(chan struct{}) // never closed
		w.topic.add(10)
		w.start()
		start := time.Now()
		w.stop()
		if took := time.Since(start); took != drainBudget {
			t.Errorf("the stop took %s, want %s", took, drainBudget)
		}
		w.expect("insert 0-9 abandoned")
	})
}

// The budget is for what is under way. A partition that is blocked gives up within it, whatever blocks it, and commits nothing.
func TestStopWhileBlocked(t *testing.T) {
	for name, block := range map[string]func(*worker){
		"clickhouse":      func(w *worker) { w.table.inserts = always(fails) },
		"setup":           func(w *worker) { w.table.inserts = always(outcome{err: &clickhouse.ServerError{Code: 60}}) },
		"dead letters":    func(w *worker) { w.topic.put(recordbatch.Record{}); w.topic.burials = always(fails) },
		"commit":          func(w *worker) { w.topic.commits = always(fails) },
		"fetch":           func(w *worker) { w.topic.fetches = always(fails) },
		"first offset":    func(w *worker) { w.topic.head = -2; w.topic.firsts = always(fails) },
		"oldest offset":   func(w *worker) { w.topic.head = 99; w.topic.firsts = always(fails) },
		"nothing to read": func(*worker) {},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				block(w)
				if name != "nothing to read" {
					w.topic.add(35)
				}
				w.start()
				pass(time.Minute)
				start := time.Now()
				w.stop() // the bubble would not end with a goroutine left
				if took := time.Since(start); took > drainBudget {
					t.Errorf("the stop took %s", took)
				}
				if w.topic.at() > 0 && name != "oldest offset" {
					t.Errorf("%d was committed", w.topic.at())
				}
			})
		})
	}
}

// ClickHouse comes back during the drain: the insert that was retried is finished and its offset committed.
func TestDrainWhileRetrying(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(10)
		w.start()
		pass(time.Minute)
		w.end()
		synctest.Wait()
		w.table.inserts.change(succeeds)
		w.stop()
		if !w.inOrder("insert 0-9 failed", "insert 0-9", "commit 10") {
			t.Errorf("happened: %v", w.topic.journal.read())
		}
	})
}
