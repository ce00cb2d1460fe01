package consumer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/blocking"
	"sluice/consumer/delivery"
	"sluice/consumer/kafka"
)

// next is another owner of the same partition, after the first one has ended: a new worker over the same topic and
// table.
func (w *worker) next(edit ...func(*worker)) *worker {
	w.t.Helper()
	return newWorker(w.t, append([]func(*worker){func(n *worker) {
		n.topic, n.table = w.topic, w.table
		n.kafka, n.offsets, n.deadLetters, n.partition.table = w.topic, w.topic, w.topic, w.table
	}}, edit...)...)
}

// onceBelow checks that every offset below end is in the table once.
func (w *worker) onceBelow(end int64) {
	w.t.Helper()
	for offset := range end {
		if _, dead := w.topic.letters[offset]; w.table.count(offset) != 1 && !dead || w.table.count(offset) != 0 && dead {
			w.t.Errorf("offset %d is there %d times, dead %v", offset, w.table.count(offset), dead)
		}
	}
	if w.topic.at() != end {
		w.t.Errorf("committed %d, want %d", w.topic.at(), end)
	}
}

// A range is recorded and not inserted: the next owner cuts the same range, whatever its own settings are, and sends it
// under the same token.
func TestReplayAfterRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(25)
		w.start()
		pass(5 * time.Second) // it fetches more only by and by
		w.stop()
		recorded := slices.Clone(w.topic.spans) // where it is cut beside the first one is a question of timing
		if len(recorded) != 2 {
			t.Fatalf("%d ranges recorded", len(recorded))
		}
		sent := w.table.sent[0]
		w.table.inserts.change(succeeds)
		w.table.sent = nil
		n := w.next(func(n *worker) { n.cfg.BatchRows = 7 })
		n.start()
		pass(time.Minute)
		n.onceBelow(25)
		for _, s := range recorded {
			if cut := fmt.Sprintf("/%d-%d/", s.First, s.Last); !slices.ContainsFunc(w.table.sent, func(token string) bool { return strings.Contains(token, cut) }) {
				t.Errorf("%s was recorded and is not among %v", cut, w.table.sent)
			}
		}
		if !slices.Contains(w.table.sent, sent) {
			t.Errorf("%s is not among %v", sent, w.table.sent)
		}
	})
}

// A range is inserted and not committed: the next owner asks the table, however soon it comes, and inserts nothing. It
// does not rely on the token, because ClickHouse may have crashed.
func TestReplayAfterInsert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.commits = plans(succeeds)
		w.topic.commits.then = outcome{err: kafka.ErrNotOwner}
		w.topic.add(10)
		w.start()
		pass(2 * advanceAge)
		w.stop()
		if w.topic.at() != 0 || w.table.count(9) != 1 {
			t.Fatalf("committed %d, and offset 9 is there %d times", w.topic.at(), w.table.count(9))
		}
		w.topic.commits.change(succeeds)
		clear(w.table.tokens)
		n := w.next()
		n.start()
		pass(2 * advanceAge)
		n.onceBelow(10)
		if len(w.table.sent) != 1 {
			t.Errorf("inserted again: %v", w.table.sent)
		}
	})
}

// Without readable metadata, the partition asks what the table has behind the committed offset. Ranges may be cut
// otherwise then, and only missing rows are inserted.
func TestDoubtWithoutMetadata(t *testing.T) {
	for name, metadata := range map[string]string{"none": "", "foreign": "another program was here", "of another offset": delivery.NewRanges(3, nil, delivery.Origin{}, -1).Metadata()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.add(30)
				for _, offset := range []int64{0, 1, 2, 5, 6, 14} {
					w.table.rows[offset] = 1
				}
				w.topic.metadata = metadata
				w.start()
				pass(time.Minute)
				w.onceBelow(30)
				if w.table.looked != 4 { // before and after the inserts of 0-9 and 10-19, not for 20-29
					t.Errorf("the table was asked %d times", w.table.looked)
				}
			})
		})
	}
}

// A worker that was held up for longer than the group waits first makes sure that it owns the partition, and then asks
// the table.
func TestLateInsertLooksFirst(t *testing.T) {
	for _, held := range []time.Duration{delivery.TokenTrust - time.Second, delivery.TokenTrust + time.Second} {
		t.Run(held.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.table.hold = make(chan struct{})
				w.topic.add(30) // two are being inserted, the third waits
				w.start()
				pass(held)
				close(w.table.hold)
				pass(time.Minute)
				w.onceBelow(30)
				if asked := w.table.looked > 0; asked != (held > delivery.TokenTrust) {
					t.Errorf("the table was asked %d times after %s", w.table.looked, held)
				}
			})
		})
	}
	t.Run("lost in between", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.table.hold = make(chan struct{})
			w.topic.add(30)
			w.start()
			w.topic.commits.change(outcome{err: kafka.ErrNotOwner})
			pass(delivery.TokenTrust + time.Second)
			close(w.table.hold)
			pass(time.Minute)
			w.inserted(0, "0-9", "10-19")
		})
	})
}

// The table refuses one row: the range is marked as split, the block is halved until the row is alone, and the other
// rows get in.
func TestOneRowRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.cfg.BatchRows = 1000
		w.table.refuses = func(offset int64) bool { return offset == 333 }
		w.topic.add(1000)
		w.start()
		pass(time.Minute)
		w.onceBelow(1000)
		letter, dead := w.topic.letters[333]
		if !dead || len(w.topic.letters) != 1 || letter.Reason != "refused_by_clickhouse" || string(letter.Value) != `{"message":"event 333"}` || len(letter.Headers) != 4 {
			t.Errorf("%d dead letters, %+v", len(w.topic.letters), letter)
		}
		if !w.inOrder("insert 0-999 refused", "split 0-999", "dead 333-333", "commit 1000") {
			t.Errorf("happened: %v", w.topic.journal.read())
		}
		if got := testutil.ToFloat64(w.metrics.dead.WithLabelValues("refused_by_clickhouse")); got != 1 {
			t.Errorf("%v dead letters counted", got)
		}
	})
}

// The owner of a range that is half split ends. The next owner inserts what is missing.
func TestSplitIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.cfg.BatchRows = 100
		w.table.refuses = func(offset int64) bool { return offset == 70 || offset == 71 }
		w.topic.burials = always(fails)
		w.topic.add(100)
		w.start()
		pass(time.Minute)
		w.stop()
		if len(w.topic.spans) != 1 || w.topic.spans[0].Split == delivery.Whole || w.table.count(0) != 1 || w.table.count(70) != 0 {
			t.Fatalf("recorded %+v", w.topic.spans)
		}
		w.topic.burials.change(succeeds)
		n := w.next()
		n.start()
		pass(time.Minute)
		n.onceBelow(100)
		if len(w.topic.letters) != 2 {
			t.Errorf("%d dead letters", len(w.topic.letters))
		}
	})
}

// A table that refuses everything proves nothing against a row: the partition waits, logs it, and writes no dead
// letter. Once something is accepted, a row that is refused alone becomes one.
func TestNothingIsAccepted(t *testing.T) {
	for _, n := range []int{1, 300} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.cfg.BatchRows = n
			all := true
			w.table.refuses = func(offset int64) bool { return all || offset == 0 }
			w.topic.add(n)
			w.start()
			pass(10 * time.Minute)
			if len(w.topic.letters) != 0 || w.topic.at() != 0 || w.blocked(blocking.Setup) != 1 {
				t.Errorf("of %d: %d dead letters, committed %d, blocked %v", n, len(w.topic.letters), w.topic.at(), w.blocked(blocking.Setup))
			}
			w.table.mu.Lock()
			all = false
			w.table.mu.Unlock()
			w.topic.add(n) // the next range, or the block's other rows, are the evidence
			pass(time.Minute)
			w.onceBelow(int64(2 * n))
			if len(w.topic.letters) != 1 {
				t.Errorf("of %d: %d dead letters", n, len(w.topic.letters))
			}
		})
	}
}

// Records of a recorded range that are gone from the topic are counted, and the others get in.
func TestReplayOfWhatIsGone(t *testing.T) {
	for before, want := range map[int64]float64{5: 5, 10: 10, 25: 25} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			w.table.inserts = always(fails)
			w.topic.add(20)
			w.start()
			w.stop()
			w.table.inserts.change(succeeds)
			w.topic.expire(before)
			w.topic.add(10)
			n := w.next()
			n.start()
			pass(time.Minute)
			if got := n.gauge(n.metrics.gaps); got != want || n.topic.at() != n.topic.next() {
				t.Errorf("before %d: %v offsets counted as a gap, committed %d of %d", before, got, n.topic.at(), n.topic.next())
			}
			for offset := before; offset < n.topic.next(); offset++ {
				if offset < 20 || before <= 20 {
					if got := w.table.count(offset); got != 1 {
						t.Errorf("before %d: offset %d is there %d times", before, offset, got)
					}
				}
			}
		})
	}
}

// The topic was created anew and is shorter than what was recorded: the recorded ranges are dropped, and reading begins
// at the start.
func TestReplayOfATopicMadeAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(30)
		w.topic.head = 10
		for offset := range int64(10) {
			w.topic.letters[offset] = kafka.DeadLetter{} // somebody has dealt with them
		}
		w.start()
		w.stop()
		w.table.inserts.change(succeeds)
		w.topic.mu.Lock()
		w.topic.records, w.topic.end, w.topic.letters = nil, 0, map[int64]kafka.DeadLetter{}
		w.topic.mu.Unlock()
		w.topic.add(5)
		n := w.next()
		n.start()
		pass(time.Minute)
		n.onceBelow(5)
	})
}

// With Kafka or the table away at the start, a partition waits, and begins when they are back.
func TestBeginWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		away := outcome{err: errors.New("away")}
		w.topic.looks, w.table.reads = plans(away, away, away), plans(away, away)
		w.topic.add(10)
		w.start()
		pass(time.Minute)
		w.onceBelow(10)
	})
}
