package consumer

import (
	"sluice/consumer/delivery"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Two ranges are inserted at a time. What is counted of the later one is counted too if that is in first: once the head is past it, not before.
func TestCountsOfARangeThatIsInFirst(t *testing.T) {
	w := newWorker(t)
	w.partition.lag = w.metrics.lags.of("events", 0)
	w.free = make(chan *batch, 2)
	w.ranges = delivery.NewRanges(0, []delivery.Range{{First: 0, Last: 9, SealedAt: time.Now()}, {First: 10, Last: 19, SealedAt: time.Now()}}, -1)
	counted := func(dropped, corrected float64) {
		t.Helper()
		d, c := testutil.ToFloat64(w.metrics.dropped.WithLabelValues("sample")), testutil.ToFloat64(w.metrics.corrected)
		if d != dropped || c != corrected {
			t.Errorf("%v dropped and %v corrected, want %v and %v", d, c, dropped, corrected)
		}
	}
	for i, want := range [][2]float64{{0, 0}, {7, 3}} {
		b := newBatch()
		b.Range, b.finished = w.ranges.Spans[1-i], true
		b.drop, b.corrected = map[string]int{"sample": 4 - i}, 1+i
		w.finish(b)
		counted(want[0], want[1])
	}
	b := newBatch() // abandoned: the next owner counts
	b.drop = map[string]int{"sample": 1}
	<-w.free
	w.finish(b)
	counted(7, 3)
}
