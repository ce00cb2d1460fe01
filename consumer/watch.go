package consumer

import (
	"fmt"
	"sync/atomic"
	"time"

	"sluice/consumer/clickhouse"
)

// inserters is how many ranges of a partition are inserted at a time. While one is inserted, the next is built and
// recorded, and a bad range does not hold up what lies behind it.
const inserters = 2

// loop is one of a partition's goroutines. Those that insert are there only while there is something to insert.
type loop int

const (
	loopFetch loop = iota
	loopRecord
	loopInsert // the first of them
	loops      = int(loopInsert) + inserters
)

// stalled is how long a goroutine may stand still, or a partition with lag make no progress, before the process counts
// as dead. One insert may take insertTimeout.
const stalled = clickhouse.InsertTimeout + time.Minute

// watch is how a partition shows that it is alive. A partition that waits for Kafka, ClickHouse or the dead-letter
// topic is alive: a restart would not help. It is safe for concurrent use.
type watch struct {
	beats   [loops]atomic.Int64 // when each loop last went round, in Unix nanoseconds; 0: it has nothing to do
	moved   atomic.Int64        // last progress, or last time none was possible, in Unix nanoseconds; 0: nothing runs
	blocked atomic.Int32        // how many loops wait for something outside
}

func (w *watch) beat(l loop) { w.beats[l].Store(time.Now().UnixNano()) }
func (w *watch) idle(l loop) { w.beats[l].Store(0) }

// rest says that nothing runs any more, as it should be.
func (w *watch) rest() {
	for l := range w.beats {
		w.beats[l].Store(0)
	}
	w.moved.Store(0)
}

// progress says that a range got in, or that there was none to get in.
func (w *watch) progress() { w.moved.Store(time.Now().UnixNano()) }

// outside says that Kafka refused something, so that no progress is possible yet.
func (w *watch) outside() { w.progress() }

// fault returns an error if a goroutine stands still, or if there is lag and no progress.
func (w *watch) fault(lag int64) error {
	for l := range w.beats {
		if at := w.beats[l].Load(); at != 0 {
			if still := time.Since(time.Unix(0, at)); still > stalled {
				return fmt.Errorf("a loop has stood still for %s", still.Round(time.Second))
			}
		}
	}
	at := w.moved.Load()
	switch {
	case at == 0:
	case lag <= 0 || w.blocked.Load() > 0:
		w.progress()
	case time.Since(time.Unix(0, at)) > stalled:
		return fmt.Errorf("there is lag, and no insert for %s", time.Since(time.Unix(0, at)).Round(time.Second))
	}
	return nil
}
