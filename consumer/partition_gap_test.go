package consumer

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/alive"
	"sluice/consumer/kafka"
	"sluice/consumer/observed"
)

var outOfRange = outcome{err: kafka.ErrOffsetOutOfRange}

// atRest checks the head, that there is no lag, that the partition is alive, and how many lost records this owner has
// counted.
func (w *worker) atRest(head int64, lost float64) {
	w.t.Helper()
	if w.topic.at() != head || w.lag() != 0 {
		w.t.Errorf("committed %d, lag %v; want %d and 0", w.topic.at(), w.lag(), head)
	}
	if got := w.gauge(w.metrics.gaps); got != lost {
		w.t.Errorf("%v records counted as lost, want %v", got, lost)
	}
	if err := w.watch.Fault(w.progress.readable()); err != nil {
		w.t.Errorf("not alive: %v", err)
	}
}

// dealtWith puts the rows of offsets into the table, as an earlier owner did.
func (w *worker) dealtWith(from, to int64) {
	for offset := from; offset < to; offset++ {
		w.table.rows[offset] = 1
	}
}

// Records behind the committed offset are removed while nobody reads, and no record follows them. The head passes them,
// and they are counted once, however often the partition moves.
func TestRemovedAtTheEnd(t *testing.T) {
	for _, removed := range []int64{11, 12, 65} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.topic.add(int(removed))
			w.dealtWith(0, 10)
			w.topic.head = 10
			w.topic.expire(removed)
			w.start()
			pass(alive.Stalled + time.Minute)
			w.atRest(removed, float64(removed-10))
			w.stop()
			for range 3 {
				n := w.next()
				n.start()
				pass(time.Minute)
				n.atRest(removed, 0)
				n.stop()
			}
			w.expect(fmt.Sprintf("commit %d", removed))
		})
	}
}

// The owner whose commit was accepted counts the lost records that it passes, and no other owner does.
func TestLossIsCountedWithItsCommit(t *testing.T) {
	for name, commits := range map[string]*plan{
		"commits fail":               always(fails),
		"the partition is another's": always(outcome{err: kafka.ErrNotOwner}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.add(12)
				w.dealtWith(0, 10)
				w.topic.head, w.topic.commits = 10, commits
				w.topic.expire(12)
				w.start()
				pass(time.Minute)
				w.stop()
				if got := w.gauge(w.metrics.gaps); got != 0 {
					t.Errorf("%v records counted as lost before a commit", got)
				}
				w.topic.commits.change(succeeds)
				n := w.next()
				n.start()
				pass(time.Minute)
				n.atRest(12, 2)
			})
		})
	}
}

// A commit whose answer was lost is sent again, and what it passes is counted once.
func TestLossWhoseCommitIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(12)
		w.dealtWith(0, 10)
		w.topic.head, w.topic.commits = 10, plans(losesTail, fails, losesTail)
		w.topic.expire(12)
		w.start()
		pass(time.Minute)
		w.atRest(12, 2)
	})
}

// A range was recorded with lost records before it, and not inserted. The next owner counts them, because it moves the
// head past the range.
func TestLossInARecordedRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(4)
		w.start()
		pass(2 * time.Second) // 0-3 is recorded
		w.topic.expire(10)
		w.topic.add(10)
		pass(time.Minute)
		w.stop()
		if got := w.gauge(w.metrics.gaps); got != 0 {
			t.Errorf("%v records counted as lost by who did not pass them", got)
		}
		w.table.inserts.change(succeeds)
		lost := 0.0
		for range 3 {
			n := w.next()
			n.start()
			pass(time.Minute)
			n.stop()
			lost += n.gauge(n.metrics.gaps)
		}
		if lost != 10 || w.topic.at() != 20 { // 0-3 were never inserted, 4-9 never read
			t.Errorf("%v records counted as lost, committed %d; want 10 and 20", lost, w.topic.at())
		}
	})
}

// Records of recorded ranges are removed before they are inserted. Several owners find that out, and one of them counts
// the records.
func TestLossOfARecordedRange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(10)
		w.start()
		pass(2 * time.Second)
		w.stop()
		w.topic.expire(5)
		w.topic.add(10)
		w.dealtWith(0, 2) // an insert that arrived late
		lost := 0.0
		for i := range 4 {
			if i == 2 {
				w.table.inserts.change(succeeds)
			}
			n := w.next()
			n.start()
			pass(time.Minute)
			n.stop()
			lost += n.gauge(n.metrics.gaps)
		}
		if lost != 3 || w.topic.at() != 20 {
			t.Errorf("%v records counted as lost, committed %d; want 3 and 20", lost, w.topic.at())
		}
	})
}

// The group's offset is set back to before the oldest record. Records that the table shows to have been dealt with are
// not lost, also if their rows were merged away.
func TestResetBelowTheOldestRecord(t *testing.T) {
	for name, rows := range map[string][]int64{
		"every row is there":    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
		"resends were merged":   {0, 5, 9},
		"only the last one was": {9},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.add(12)
				for _, offset := range rows {
					w.table.rows[offset] = 1
				}
				w.topic.head, w.topic.metadata = 0, "" // as kafka-consumer-groups.sh leaves it
				w.topic.expire(12)
				w.start()
				pass(time.Minute)
				w.atRest(12, 2)
			})
		})
	}
}

// The group's offset is set back within the log, or expired: rows that are in the table are not inserted again.
func TestResetWithinTheLog(t *testing.T) {
	for _, head := range []int64{-1, 0, 3, 10} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.topic.add(20)
			w.dealtWith(0, 10)
			w.topic.head = head
			w.start()
			pass(time.Minute)
			w.onceBelow(20)
			w.atRest(20, 0)
		})
	}
}

// The group's offset is set forward: the skipped offsets are counted once. If the table is empty, the offset is where
// to begin.
func TestResetForward(t *testing.T) {
	for rows, want := range map[int64]float64{10: 5, 14: 1, 15: 0, 0: 0} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.topic.dropped = true // the test passes records over on purpose
			w.topic.add(20)
			w.dealtWith(0, rows)
			w.topic.head, w.topic.metadata = 15, ""
			lost := 0.0
			for range 3 {
				n := w.next()
				n.topic.dropped = true
				n.start()
				pass(time.Minute)
				n.stop()
				lost += n.gauge(n.metrics.gaps)
			}
			if lost != want || w.topic.at() != 20 {
				t.Errorf("%d rows: %v records counted as lost, committed %d; want %v and 20", rows, lost, w.topic.at(), want)
			}
		})
	}
}

// The committed offset has expired, and records after the last row were removed before anybody read them: they are
// counted.
func TestExpiredOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(20)
		w.dealtWith(0, 10)
		w.topic.head = -1
		w.topic.expire(15)
		w.start()
		pass(time.Minute)
		w.atRest(20, 5)
	})
}

// The head passes offsets without records at the end of the topic, such as transaction markers, whatever is being
// inserted then.
func TestEmptyEnd(t *testing.T) {
	for _, records := range []int{0, 1, 9, 10, 11, 25} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.table.hold = make(chan struct{})
			w.topic.add(records)
			w.topic.hole(1)
			w.start()
			pass(3 * time.Second)
			w.topic.hole(2)
			pass(3 * time.Second)
			if records > 0 && w.topic.at() > 0 {
				t.Errorf("of %d: committed %d while nothing is in", records, w.topic.at())
			}
			close(w.table.hold)
			pass(time.Minute)
			w.atRest(int64(records)+3, 0)
			w.topic.add(1)
			pass(time.Minute)
			w.atRest(int64(records)+4, 0)
		})
	}
}

// Records behind the start of an open transaction cannot be read yet. They are lag, and the partition is alive.
func TestOpenTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(20)
		w.topic.open = 10
		w.start()
		pass(alive.Stalled + time.Hour)
		if w.topic.at() != 10 || w.lag() != 10 {
			t.Errorf("committed %d, lag %v", w.topic.at(), w.lag())
		}
		if err := w.watch.Fault(w.progress.readable()); err != nil {
			t.Errorf("not alive: %v", err)
		}
		w.topic.mu.Lock()
		w.topic.open = 0
		w.topic.mu.Unlock()
		pass(time.Minute)
		w.onceBelow(20)
		w.atRest(20, 0)
	})
}

// A broker that was away says that a good offset is out of range. The partition asks for the bounds of the topic, and
// stays at its offset.
func TestStaleLeader(t *testing.T) {
	for _, times := range []int{1, 2, 30} {
		for _, head := range []int64{5, 20} { // the newest offset is one to fetch too
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.add(20)
				w.dealtWith(0, head)
				w.topic.head = head
				for range times {
					w.topic.fetches.next = append(w.topic.fetches.next, outOfRange)
				}
				w.start()
				pass(5 * time.Minute)
				w.onceBelow(20)
				w.atRest(20, 0)
				if w.topic.delivered != int(20-head) || w.gauge(w.metrics.truncations) != 0 {
					t.Errorf("%d answers from %d: %d records read, %v cuts", times, head, w.topic.delivered, w.gauge(w.metrics.truncations))
				}
			})
		}
	}
}

// A broker that was away believes for some seconds that the topic is shorter, or begins later. The partition does not
// believe it until it has said so for long.
func TestStaleBounds(t *testing.T) {
	for name, bounds := range map[string][2]int64{"shorter": {0, 3}, "empty": {0, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.add(20)
				w.dealtWith(0, 5)
				w.topic.head = 5
				w.topic.fetches = always(outOfRange)
				w.topic.claims = func() (int64, int64, bool) { return bounds[0], bounds[1], true }
				w.start()
				pass(observed.CutAfter - time.Millisecond)
				w.topic.mu.Lock()
				w.topic.claims = nil
				w.topic.mu.Unlock()
				w.topic.fetches.change(succeeds)
				pass(time.Minute)
				w.onceBelow(20)
				w.atRest(20, 0)
				if w.topic.delivered != 15 || w.gauge(w.metrics.truncations) != 0 {
					t.Errorf("%d records read, %v cuts", w.topic.delivered, w.gauge(w.metrics.truncations))
				}
			})
		})
	}
}

// A partition that is assigned while its bounds cannot be read starts at its committed offset.
func TestStartsWithoutBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(20)
		w.dealtWith(0, 5)
		w.topic.head, w.topic.firsts = 5, always(fails)
		w.start()
		pass(time.Minute)
		w.onceBelow(20)
		w.atRest(20, 0)
	})
}
