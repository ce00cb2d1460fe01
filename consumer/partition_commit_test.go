package consumer

import (
	"errors"
	"fmt"
	"sluice/consumer/clickhouse"
	"sluice/consumer/kafka"
	"sluice/internal/recordbatch"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The order of work is the whole promise: the range recorded, dead letters acknowledged, rows inserted, and only then the offset, a
// second later at most.
func TestCommitComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(3)
		w.topic.put(recordbatch.Record{Value: []byte("not JSON")})
		w.topic.add(6)
		w.topic.verbose = true
		w.start()
		w.expect("record 0-9, bury 3-3, insert 0-9")
		pass(advanceAge - time.Millisecond)
		w.expect("record 0-9, bury 3-3, insert 0-9")
		pass(time.Millisecond)
		w.expect("record 0-9, bury 3-3, insert 0-9, commit 10")
	})
}

// Dead letters alone move the offset as well: a topic of nothing but poison is no stall.
func TestOnlyDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		for range 10 {
			w.topic.put(recordbatch.Record{Value: []byte("not JSON")})
		}
		w.start()
		pass(advanceAge)
		w.expect("bury 0-9, commit 10")
		if got := testutil.ToFloat64(w.metrics.dead.WithLabelValues("missing_header")); got != 10 {
			t.Errorf("%v dead letters counted", got)
		}
	})
}

// An insert that fails is tried until it is in; the offset stands still meanwhile, and then moves once.
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

// An insert whose answer was lost is not sent again blindly: the table is asked, and has it.
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

// An insert that was lost on its way, as far as anybody can tell, is sent again under the same token, and then looked for.
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

// While the dead-letter topic is away the partition waits: neither the rows nor the offset get past the poison. A dead letter
// whose acknowledgement was lost may be there twice, never not at all.
func TestDeadLetterTopicAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.burials = plans(fails, losesTail)
		w.topic.add(9)
		w.topic.put(recordbatch.Record{Value: []byte("{}")})
		w.start()
		if got := w.blocked(blockedDead); got != 1 {
			t.Errorf("blocked by dead letters: %v", got)
		}
		pass(time.Minute)
		w.expect("bury 9-9 failed, bury 9-9 answer lost, bury 9-9, insert 0-8, commit 10")
		if got := w.blocked(blockedDead); got != 0 {
			t.Errorf("blocked by dead letters: %v after they were written", got)
		}
	})
}

// As long as it is not known whether a range is recorded nothing is inserted. Then it is, once.
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

// The same for the commit that only moves the offset: it is repeated, and nothing is inserted again for it.
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

// Once the broker has said that the partition is another's, this owner does nothing more: it does not insert what it could not record.
// It keeps still until its generation ends: returning earlier would end it for the other partitions too.
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

// An owner that learns it while it inserts abandons the insert: what it sent is recorded, and the next owner's business.
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
