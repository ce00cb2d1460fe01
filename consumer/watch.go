package consumer

import (
	"fmt"
	"sluice/consumer/clickhouse"
	"sync/atomic"
	"time"
)

// loop is one of a partition's goroutines.
type loop int

const (
	loopFetch loop = iota
	loopKeep
	loopInsert // the first of them
	loops      = int(loopInsert) + inserters
)

// stalled is how long a loop may stand still, or a partition with lag make no progress, before this process is called dead; one insert
// may take insertTimeout.
const stalled = clickhouse.InsertTimeout + time.Minute

// watch is how a partition shows that it is alive. Waiting for Kafka, ClickHouse or the dead-letter topic is being alive: a
// restart would not help.
type watch struct {
	beats   [loops]atomic.Int64 // when each loop last turned, in Unix nanoseconds; 0: it has nothing to do
	moved   atomic.Int64        // when something was last got through, or could not have been
	blocked atomic.Int32        // how many loops wait for something outside
}

func (w *watch) beat(l loop) { w.beats[l].Store(time.Now().UnixNano()) }
func (w *watch) idle(l loop) { w.beats[l].Store(0) }

// rest says that nothing turns any more, as it should.
func (w *watch) rest() {
	for l := range w.beats {
		w.beats[l].Store(0)
	}
	w.moved.Store(0)
}

// progress says that a range got in, or that nothing had to.
func (w *watch) progress() { w.moved.Store(time.Now().UnixNano()) }

// outside says that Kafka refused something, so that no progress can be expected yet.
func (w *watch) outside() { w.progress() }

// fault says what stands still.
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
	case at == 0: // at rest
	case lag <= 0 || w.blocked.Load() > 0:
		w.progress()
	case time.Since(time.Unix(0, at)) > stalled:
		return fmt.Errorf("there is lag, and nothing got in for %s", time.Since(time.Unix(0, at)).Round(time.Second))
	}
	return nil
}
