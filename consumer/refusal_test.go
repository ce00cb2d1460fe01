package consumer

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/blocking"
	"sluice/consumer/budget"
)

// refusals are known and unknown codes, and what must happen if everything is refused with one, and if one row is while
// others go in.
var refusals = []struct {
	codes []int
	alone string // by what the partition is blocked
	dead  bool   // the row becomes a dead letter if others go in
	stays string // else by what the partition is blocked then
}{
	{[]int{6, 26, 27, 33, 38, 41, 53, 69, 72, 117, 131, 349, 376, 469, 675, 676, 691}, blocking.Setup, true, ""},
	{[]int{1, 10, 36, 43, 48, 49, 70, 130, 153, 321, 395, 407, 432, 457, 636, 1001, 1002, 5000, 99999}, blocking.Setup, true, ""},
	{[]int{16, 47, 60, 62, 81, 115, 164, 192, 193, 194, 277, 452, 497, 516}, blocking.Setup, false, blocking.Setup},
	{[]int{158, 191, 241, 290, 307, 396, 565}, blocking.Setup, false, blocking.Setup},
	{[]int{159, 160, 173}, blocking.ClickHouse, false, blocking.ClickHouse},
	{[]int{74, 198, 201, 202, 203, 209, 210, 236, 242, 243, 252, 285, 319, 394, 425, 439, 745, 999}, blocking.ClickHouse, false, blocking.ClickHouse},
}

// A code that hits everything makes no dead letter, however long it lasts. A code that is not known to pass by itself
// counts as a fault of the setup.
func TestRefusalOfEverything(t *testing.T) {
	eachRefusal(t, func(w *worker) { w.table.refuses = func(int64) bool { return true } }, func(w *worker, r int) {
		if len(w.topic.letters) > 0 || w.topic.at() != 0 || w.blocked(refusals[r].alone) == 0 {
			w.t.Errorf("%d dead letters, committed %d, blocked by %s: %v", len(w.topic.letters), w.topic.at(), refusals[r].alone, w.blocked(refusals[r].alone))
		}
		w.table.takesAll()
		pass(time.Minute)
		w.onceBelow(20)
	})
}

// A code that comes again for one row while others go in is the row's fault, unless the code says that it cannot be.
func TestRefusalOfOneRow(t *testing.T) {
	eachRefusal(t, func(w *worker) { w.table.refuses = func(offset int64) bool { return offset == 5 } }, func(w *worker, r int) {
		want := refusals[r]
		if _, dead := w.topic.letters[5]; dead != want.dead || len(w.topic.letters) > 1 {
			w.t.Errorf("dead letters: %v", w.topic.letters)
		}
		if want.dead {
			w.onceBelow(20)
		} else if w.topic.at() != 0 || w.blocked(want.stays) == 0 {
			w.t.Errorf("committed %d, blocked by %s: %v", w.topic.at(), want.stays, w.blocked(want.stays))
		}
	})
}

// The same holds if no other batch comes: the halves are the evidence.
func TestRefusalOfOneRowAlone(t *testing.T) {
	eachRefusal(t, func(w *worker) {
		w.cfg.BatchRows = 20
		w.table.refuses = func(offset int64) bool { return offset == 5 }
	}, func(w *worker, r int) {
		if _, dead := w.topic.letters[5]; dead != refusals[r].dead || len(w.topic.letters) > 1 {
			w.t.Errorf("dead letters: %v", w.topic.letters)
		}
	})
}

// eachRefusal runs a worker for each code for ten minutes: two batches of ten.
func eachRefusal(t *testing.T, edit func(*worker), check func(w *worker, r int)) {
	t.Helper()
	for r, group := range refusals {
		for _, code := range group.codes {
			t.Run(fmt.Sprint(code), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorker(t, edit)
					w.size = &budget.Size{}
					w.table.code = code
					w.topic.add(20)
					w.start()
					pass(10 * time.Minute)
					check(w, r)
				})
			})
		}
	}
}

// A row whose code proves nothing becomes a dead letter only if the code comes again.
func TestUnclearRefusalThatPasses(t *testing.T) {
	for times := range 4 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			left := times
			w.table.code = 407
			w.table.refuses = func(offset int64) bool {
				if offset == 5 && left > 0 {
					left--
					return true
				}
				return false
			}
			w.topic.add(30)
			w.start()
			pass(time.Minute)
			w.onceBelow(30)
			if len(w.topic.letters) > 0 {
				t.Errorf("after %d refusals: %d dead letters", times, len(w.topic.letters))
			}
		})
	}
}

// A block full of bad rows, which one client can make, does not block its partition for ever while others go in.
// Without others, the table is at fault.
func TestBlockFullOfBadRows(t *testing.T) {
	for _, others := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t, func(w *worker) { w.cfg.BatchRows = 300 })
			w.table.refuses = func(offset int64) bool { return offset < 300 }
			w.topic.add(300)
			w.start()
			for range 1200 {
				if others {
					w.accepted.Add(1)
				}
				pass(500 * time.Millisecond)
			}
			want := 0
			if others {
				want = 300
			}
			if len(w.topic.letters) != want {
				t.Errorf("others %v: %d dead letters, want %d", others, len(w.topic.letters), want)
			}
		})
	}
}
