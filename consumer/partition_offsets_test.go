package consumer

import (
	"testing"
	"testing/synctest"
	"time"
)

// A group that never committed begins at the oldest record, once Kafka can be asked for it.
func TestNothingCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.head = -2
		w.topic.expire(7)
		w.topic.add(10)
		w.topic.firsts = plans(fails, fails)
		w.start()
		pass(time.Minute)
		w.expect("commit 7, insert 7-16, commit 17")
		if got := w.gauge(w.metrics.gaps); got != 0 {
			t.Errorf("%v offsets counted as a gap: a new group has lost nothing", got)
		}
	})
}

// The group goes on where it was, not at the beginning.
func TestGoesOnAtTheCommittedOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(20)
		for offset := range int64(10) {
			w.table.rows[offset] = 1 // by an earlier owner
		}
		w.topic.head = 10
		w.start()
		pass(advanceAge)
		w.expect("insert 10-19, commit 20")
	})
}

// Records that retention took before they were read are counted, and the partition goes on at the oldest there still
// is.
func TestOffsetOutOfRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.expire(10)
		w.topic.add(10)
		w.topic.head = 3
		w.topic.firsts = plans(fails)
		w.start()
		pass(time.Minute)
		w.expect("commit 10, insert 10-19, commit 20")
		if got := w.gauge(w.metrics.gaps); got != 7 {
			t.Errorf("%v offsets counted as a gap, want 7", got)
		}
	})
}

// Retention overtakes a partition with records in hand: they are inserted and committed up to the gap, not across it.
func TestOffsetOutOfRangeWithRecordsInHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(4)
		w.start()
		w.topic.expire(10)
		w.topic.add(10)
		pass(time.Minute)
		w.inserted(20, "0-3", "10-19")
		if got := w.gauge(w.metrics.gaps); got != 6 {
			t.Errorf("%v offsets counted as a gap, want 6", got)
		}
	})
}

// A committed offset that is beyond the end (the topic was made anew) begins again at its start; that is no gap.
func TestOffsetBeyondTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(10)
		w.topic.head = 500
		w.start()
		pass(time.Minute)
		w.expect("commit 0, insert 0-9, commit 10")
		if got := w.gauge(w.metrics.gaps); got != 0 {
			t.Errorf("%v offsets counted as a gap", got)
		}
	})
}

// Offsets without a record inside the log, such as markers of transactions and what compaction left, are no loss, and
// do not stop anything.
func TestHoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(2)
		w.topic.hole(3)
		w.topic.add(1)
		w.topic.hole(1)
		w.topic.add(7)
		w.start()
		pass(advanceAge)
		w.expect("insert 0-13, commit 14")
		if got := w.gauge(w.metrics.gaps); got != 0 {
			t.Errorf("%v offsets counted as a gap, want 0", got)
		}
	})
}

// A fetch that fails is repeated from the same offset: nothing is skipped and nothing read twice.
func TestFetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(10)
		w.topic.fetches = plans(fails, succeeds, fails, fails)
		w.flushAge = time.Hour
		w.start()
		pass(time.Minute)
		w.expect("insert 0-9, commit 10")
		if w.topic.delivered != 10 {
			t.Errorf("%d records read, want 10", w.topic.delivered)
		}
	})
}

// The lag is how far the committed offset is behind the end: it grows while nothing gets through and ends at nought.
func TestLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(7)
		w.start()
		if got := w.lag(); got != 7 {
			t.Errorf("lag %v, want 7", got)
		}
		w.topic.add(1)
		pass(600 * time.Millisecond)
		if got := w.lag(); got != 8 {
			t.Errorf("lag %v, want 8", got)
		}
		w.table.inserts.change(succeeds)
		pass(time.Minute)
		if got := w.lag(); got != 0 {
			t.Errorf("lag %v, want 0", got)
		}
	})
}
