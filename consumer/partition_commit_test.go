package consumer

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/blocking"
	"sluice/consumer/clickhouse"
	"sluice/consumer/kafka"
	"sluice/consumer/shared"
	"sluice/internal/recordbatch"
)

// The order of work: the range is recorded, dead letters are acknowledged, rows are inserted, and only then, at most a
// second later, the offset is committed.
func TestCommitComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(3)
		w.topic.put(recordbatch.Record{Value: []byte("not JSON")})
		w.topic.add(6)
		w.topic.verbose = true
		w.start()
		w.expect("record 0-9, dead 3-3, insert 0-9")
		pass(advanceAge - time.Millisecond)
		w.expect("record 0-9, dead 3-3, insert 0-9")
		pass(time.Millisecond)
		w.expect("record 0-9, dead 3-3, insert 0-9, commit 10")
	})
}

// A partition that shares blocks leaves the commit to its next block for three seconds.
func TestSharedCommitWaitsForTheNextBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, func(w *worker) {
			w.seat = w.blocks.NewUnit(shared.Limits{Rows: 10, Bytes: func() int { return 1 << 20 }}).Seat(0)
		})
		w.topic.add(10)
		w.topic.verbose = true
		w.start()
		w.expect("record 0-9, insert 0-9")
		pass(sharedAdvanceAge - time.Millisecond)
		w.expect("record 0-9, insert 0-9")
		pass(time.Millisecond)
		w.expect("record 0-9, insert 0-9, commit 10")
	})
}

// Dead letters alone move the offset: a topic of nothing but poison does not stall.
func TestOnlyDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		for range 10 {
			w.topic.put(recordbatch.Record{Value: []byte("not JSON")})
		}
		w.start()
		pass(advanceAge)
		w.expect("dead 0-9, commit 10")
		if got := testutil.ToFloat64(w.metrics.dead.WithLabelValues("missing_header")); got != 10 {
			t.Errorf("%v dead letters counted", got)
		}
	})
}

// An insert that fails is retried until it succeeds. Until then the committed offset stays, and then moves once.
func TestInsertFailsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = plans(fails, fails, outcome{err: &clickhouse.ServerError{Code: 252, Text: "too many parts"}})
		w.topic.add(10)
		w.start()
		if w.happened("commit 10") > 0 {
			t.Error("committed before the insert")
		}
		pass(time.Minute)
		w.expect(strings.Repeat("insert 0-9 failed, ", 3) + "insert 0-9, commit 10")
		for code, want := range map[string]float64{"network": 2, "252": 1} {
			if got := testutil.ToFloat64(w.metrics.insertErrors.WithLabelValues(code)); got != want {
				t.Errorf("insert errors with code %s: %v, want %v", code, got, want)
			}
		}
		if got := testutil.ToFloat64(w.metrics.rows); got != 10 {
			t.Errorf("%v rows counted", got)
		}
	})
}

// After an insert whose answer was lost, the table is asked, and has the rows. They are not sent again.
func TestInsertAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = plans(losesTail)
		w.topic.add(15)
		w.start()
		pass(time.Minute)
		w.inserted(15, "10-14")
		if w.happened("insert 0-9 answer lost") != 1 || w.table.looked != 1 {
			t.Errorf("happened: %v, and the table was asked %d times", w.topic.journal.read(), w.table.looked)
		}
		for offset := range int64(15) {
			if got := w.table.count(offset); got != 1 {
				t.Errorf("offset %d was inserted %d times", offset, got)
			}
		}
	})
}

// An insert that seems to have got lost is sent again under the same token, and then looked for.
func TestInsertLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = plans(outcome{err: errors.New("connection reset")})
		w.topic.add(10)
		w.start()
		pass(time.Minute)
		w.expect("insert 0-9 failed, insert 0-9, commit 10")
		if len(w.table.sent) != 2 || w.table.sent[0] != w.table.sent[1] || w.table.looked != 2 {
			t.Errorf("tokens %v, and the table was asked %d times", w.table.sent, w.table.looked)
		}
	})
}

// While the dead-letter topic is away, neither the rows nor the offset pass the bad record. A dead letter whose
// acknowledgement was lost may be written twice, and is never left out.
func TestDeadLetterTopicAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.burials = plans(fails, losesTail)
		w.topic.add(9)
		w.topic.put(recordbatch.Record{Value: []byte("{}")})
		w.start()
		if got := w.blocked(blocking.DeadLetters); got != 1 {
			t.Errorf("blocked by dead letters: %v", got)
		}
		pass(time.Minute)
		w.expect("dead 9-9 failed, dead 9-9 answer lost, dead 9-9, insert 0-8, commit 10")
		if got := w.blocked(blocking.DeadLetters); got != 0 {
			t.Errorf("blocked by dead letters: %v after they were written", got)
		}
	})
}

// As long as it is unknown whether a range is recorded, nothing is inserted. Then it is inserted once.
func TestRecordAmbiguous(t *testing.T) {
	for name, o := range map[string]outcome{"not applied": fails, "answer lost": losesTail} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.commits = always(o)
				w.topic.add(10)
				w.start()
				pass(time.Minute)
				w.inserted(0)
				w.topic.commits.change(succeeds)
				pass(time.Minute)
				w.inserted(10, "0-9")
			})
		})
	}
}

// A commit that only moves the offset is repeated until it is answered, and nothing is inserted again for it.
func TestAdvanceAmbiguous(t *testing.T) {
	for name, o := range map[string]outcome{"not applied": fails, "answer lost": losesTail} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.commits = plans(succeeds, o, o)
				w.topic.add(10)
				w.start()
				pass(time.Minute)
				w.inserted(10, "0-9")
				if w.topic.commitCalls != 4 {
					t.Errorf("%d commits", w.topic.commitCalls)
				}
			})
		})
	}
}

// Once the broker has said that the partition is another member's, the partition does nothing more. It runs until its
// generation ends, because returning earlier would end the generation for the other partitions too.
func TestRecordNotOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.commits = always(outcome{err: fmt.Errorf("commit: %w", kafka.ErrNotOwner)})
		w.topic.add(50)
		w.start()
		pass(time.Hour)
		w.expect("commit 0 refused")
		select {
		case <-w.ended:
			t.Error("run returned before its generation ended")
		default:
		}
		w.stop()
		w.expect("commit 0 refused")
	})
}

// A partition that is lost during an insert gives the insert up: its range is recorded, and the next owner's to finish.
func TestNotOwnerDuringAnInsert(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.hold = make(chan struct{})
		w.topic.commits = plans(succeeds, outcome{err: fmt.Errorf("commit: %w", kafka.ErrNotOwner)})
		w.topic.add(10)
		w.start()
		w.topic.add(10)
		pass(time.Second)
		w.expect("commit 0 refused, insert 0-9 abandoned")
		pass(time.Hour)
		w.stop()
		if w.topic.at() != 0 || len(w.topic.spans) != 1 {
			t.Errorf("committed %d and %d ranges", w.topic.at(), len(w.topic.spans))
		}
	})
}
