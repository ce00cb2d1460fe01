package consumer

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// After an insert without an answer the table is asked which rows are missing, and again after they were inserted. If
// the table stores tokens together with their rows, the answer to the insert is enough.
func TestSureAsksOnce(t *testing.T) {
	for sure, want := range map[bool]int{false: 2, true: 1} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t, func(w *worker) { w.tokenDurable = sure })
			w.table.inserts = plans(outcome{err: errors.New("connection reset before the rows were in")})
			w.topic.add(10)
			w.start()
			pass(time.Minute)
			w.onceBelow(10)
			if w.table.looked != want {
				t.Errorf("sure %v: the table was asked %d times, want %d", sure, w.table.looked, want)
			}
		})
	}
}
