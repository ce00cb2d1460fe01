package consumer

import (
	"fmt"
	"sluice/consumer/kafka"
	"testing"
	"testing/synctest"
	"time"
)

var outOfRange = outcome{err: kafka.ErrOffsetOutOfRange}

// atRest wants the head at an offset, no lag, a partition that lives, and that many records counted as lost by this owner.
func (w *worker) atRest(head int64, lost float64) {
	w.t.Helper()
	if w.topic.at() != head || w.lag() != 0 {
		w.t.Errorf("committed %d, lag %v; want %d and 0", w.topic.at(), w.lag(), head)
	}
	if got := w.gauge(w.metrics.gaps); got != lost {
		w.t.Errorf("%v records counted as lost, want %v", got, lost)
	}
	if err := w.watch.fault(w.readable()); err != nil {
		w.t.Errorf("not alive: %v", err)
	}
}

// dealtWith puts the rows of offsets in the table, as an earlier owner did.
func (w *worker) dealtWith(from, to int64) {
	for offset := from; offset < to; offset++ {
		w.table.rows[offset] = 1
	}
}

// Records are removed behind the committed offset while nobody reads, and nothing comes after them. The head moves past them, and they are
// counted once, however often the partition changes hands.
func TestRemovedAtTheEnd(t *testing.T) {
	for _, removed := range []int64{11, 12, 65} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.topic.add(int(removed))
			w.dealtWith(0, 10)
			w.topic.head = 10
			w.topic.expire(removed)
			w.start()
			pass(stalled + time.Minute)
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

// What is lost is counted by the owner whose commit was accepted, and by no other.
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

// An answer to the commit that is lost makes no difference: it is sent again until one comes.
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

// A range that was recorded with a loss before it, and not inserted: the next owner counts the loss, because it moves the head past it.
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

// Records of recorded ranges are removed before they are inserted. Several owners find that out, and one counts them.
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

// The group's offset is set back to before the oldest record. What the table shows to have been dealt with is not lost, whether its rows are there or
// were merged with others.
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

// The group's offset is set back within the log, or expired: what is in the table is not inserted again.
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

// The group's offset is set forward: what it passes over is counted, once. Where the table has nothing yet, the offset is where to begin.
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

// The committed offset has expired, and the records after the last row were removed before anybody read them: they are counted.
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

// Offsets without records at the end (a transaction's marker, aborted records, compaction) are passed, whatever is in flight then.
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

// What is behind the start of an open transaction cannot be read yet. That is lag, and no reason to end the process.
func TestOpenTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(20)
		w.topic.open = 10
		w.start()
		pass(stalled + time.Hour)
		if w.topic.at() != 10 || w.lag() != 10 {
			t.Errorf("committed %d, lag %v", w.topic.at(), w.lag())
		}
		if err := w.watch.fault(w.readable()); err != nil {
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

// A broker that was away says of a good offset that it is out of range. The partition asks where the topic begins and ends, and stays where it is.
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

// A broker that was away believes for some seconds that the topic is shorter, or begins later. It is not believed before it has said so for long.
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
				pass(cutAfter - time.Millisecond)
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

// A partition that is handed over while its bounds cannot be asked for starts at its committed offset.
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

// What a dispute needs before it is acted on: each limit, and one less.
func TestDispute(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, c := range []struct {
		name  string
		f     verdict
		times int
		over  time.Duration
		want  bool
	}{
		{"removed once", verdictRemoved, 1, time.Hour, false},
		{"removed twice", verdictRemoved, removedAnswers, 0, true},
		{"cut, too few answers", verdictCut, cutAnswers - 1, time.Hour, false},
		{"cut, too soon", verdictCut, cutAnswers, cutAfter - 1, false},
		{"cut", verdictCut, cutAnswers, cutAfter, true},
		{"stale, for ever", verdictStale, 1000, time.Hour, false},
	} {
		var d dispute
		sure := false
		for i := range c.times {
			at := now
			if i == c.times-1 && i > 0 {
				at = now.Add(c.over)
			}
			sure = d.found(c.f, at)
		}
		if sure != c.want {
			t.Errorf("%s: %v", c.name, sure)
		}
		if d.found(verdictStale, now.Add(2*time.Hour)); d.times != 1 && c.f != verdictStale {
			t.Errorf("%s: another verdict does not begin anew", c.name)
		}
	}
}
