package consumer

import (
	"testing"
	"testing/synctest"
	"time"
)

// A group that never committed begins at the oldest record, once Kafka tells it.
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

// A group begins at its committed offset.
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

// Records that retention removed before they were read are counted, and the partition goes on at the oldest record.
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

// Retention overtakes a partition that has a batch: the batch is inserted and committed up to the gap, and not across
// it.
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

// The committed offset is beyond the end, because the topic was created anew: the partition begins at its start, and
// counts no loss.
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

// Offsets without a record within the log, such as transaction markers and what compaction removed, are no loss and
// stop nothing.
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

// A fetch that fails is repeated from the same offset: no record is skipped or read twice.
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

// The lag is the distance from the committed offset to the end: it grows while nothing is inserted, and ends at 0.
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
