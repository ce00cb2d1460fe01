package alive

import (
	"fmt"
	"sync/atomic"
	"time"

	"sluice/consumer/clickhouse"
)

// Inserters is how many ranges of a partition are inserted at a time. While one is inserted, the next is built and
// recorded, and a bad range does not hold up what lies behind it.
const Inserters = 2

// Loop is one of a partition's goroutines. Those that insert are there only while there is something to insert.
type Loop int

// The loops, but for those that insert.
const (
	Fetch Loop = iota
	Record
	inserts // the first of them
	loops   = int(inserts) + Inserters
)

// Insert is one of the loops that insert, from 0 to Inserters-1.
func Insert(n int) Loop { return inserts + Loop(n) }

// Stalled is how long a goroutine may stand still, or a partition with lag make no progress, before the process counts
// as dead. One insert may take InsertTimeout.
const Stalled = clickhouse.InsertTimeout + time.Minute

// Watch is how a partition shows that it is alive. A partition that waits for Kafka, ClickHouse or the dead-letter
// topic is alive: a restart would not help. It is safe for concurrent use.
type Watch struct {
	beats   [loops]atomic.Int64 // when each loop last went round, in Unix nanoseconds; 0: it has nothing to do
	moved   atomic.Int64        // last progress, or last time none was possible, in Unix nanoseconds; 0: nothing runs
	blocked atomic.Int32        // how many loops wait for something outside
}

// Beat says that a loop goes round.
func (w *Watch) Beat(l Loop) { w.beats[l].Store(time.Now().UnixNano()) }

// Idle says that a loop has nothing to do.
func (w *Watch) Idle(l Loop) { w.beats[l].Store(0) }

// Rest says that nothing runs any more, as it should be.
func (w *Watch) Rest() {
	for l := range w.beats {
		w.beats[l].Store(0)
	}
	w.moved.Store(0)
}

// Progress says that a range got in, or that there was none to get in.
func (w *Watch) Progress() { w.moved.Store(time.Now().UnixNano()) }

// Block says that one more loop waits for something outside.
func (w *Watch) Block() { w.blocked.Add(1) }

// Unblock says that a loop waits no more. That counts as progress.
func (w *Watch) Unblock() {
	w.Progress()
	w.blocked.Add(-1)
}

// Blocked says whether a loop waits for something outside.
func (w *Watch) Blocked() bool { return w.blocked.Load() > 0 }

// Outside says that Kafka refused something, so that no progress is possible yet.
func (w *Watch) Outside() { w.Progress() }

// Fault returns an error if a goroutine stands still, or if there is lag and no progress.
func (w *Watch) Fault(lag int64) error {
	for l := range w.beats {
		if at := w.beats[l].Load(); at != 0 {
			if still := time.Since(time.Unix(0, at)); still > Stalled {
				return fmt.Errorf("a loop has stood still for %s", still.Round(time.Second))
			}
		}
	}
	at := w.moved.Load()
	switch {
	case at == 0:
	case lag <= 0 || w.blocked.Load() > 0:
		w.Progress()
	case time.Since(time.Unix(0, at)) > Stalled:
		return fmt.Errorf("there is lag, and no insert for %s", time.Since(time.Unix(0, at)).Round(time.Second))
	}
	return nil
}
