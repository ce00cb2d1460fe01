package consumer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The order of work is the whole promise: dead letters acknowledged, rows inserted, and only then the offset.
func TestCommitComesLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.add(3)
		w.topic.put(record{value: []byte("not JSON")})
		w.topic.add(6)
		w.start()
		w.expect("bury 3-3, insert 0-9, commit 10")
	})
}

// Dead letters alone move the offset as well: a topic of nothing but poison is no stall.
func TestOnlyDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		for range 10 {
			w.topic.put(record{value: []byte("not JSON")})
		}
		w.start()
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
		w.table.inserts = plans(fails, fails, outcome{err: &httpError{code: 252, text: "too many parts"}})
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

// An insert whose answer was lost is sent again, the same rows and no others. The table merges them.
func TestInsertAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = plans(losesTail)
		w.topic.add(15)
		w.start()
		pass(time.Minute)
		w.expect("insert 0-9 answer lost, insert 0-9, commit 10, insert 10-14, commit 15")
		for offset := range int64(15) {
			want := 1
			if offset < 10 {
				want = 2
			}
			if got := w.table.count(offset); got != want {
				t.Errorf("offset %d was inserted %d times, want %d", offset, got, want)
			}
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
		w.topic.put(record{value: []byte("{}")})
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

// A commit whose outcome is unknown is repeated, and nothing is inserted again for it.
func TestCommitAmbiguous(t *testing.T) {
	for name, o := range map[string]outcome{"not applied": fails, "answer lost": losesTail} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorker(t)
				w.topic.commits = plans(o)
				w.topic.add(20)
				w.start()
				pass(time.Minute)
				lines := w.topic.journal.read()
				if len(lines) != 5 || !w.inOrder("insert 0-9", lines[1], "commit 10", "insert 10-19", "commit 20") {
					t.Errorf("happened: %v", lines)
				}
			})
		})
	}
}

// Once the broker has said that the partition is another's, this owner does nothing more, and keeps still until its generation
// ends: returning earlier would end it for the other partitions too.
func TestCommitNotOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.commits = always(outcome{err: fmt.Errorf("commit: %w", errNotOwner)})
		w.topic.add(50)
		w.start()
		pass(time.Hour)
		w.expect("insert 0-9, commit 10 refused")
		select {
		case <-w.ended:
			t.Error("run returned before its generation ended")
		default:
		}
		w.stop()
		w.expect("insert 0-9, commit 10 refused")
	})
}
