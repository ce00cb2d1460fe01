package consumer

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"

	"sluice/consumer/delivery"
)

// Two ranges are inserted at a time. The later one may be in first: it is counted when the head is past it, and not
// before.
func TestCountsOfARangeThatIsInFirst(t *testing.T) {
	w := newWorker(t)
	w.partition.lag = w.metrics.lags.Of("events", 0)
	w.free = make(chan *batch, 2)
	ranges := []delivery.Range{{First: 0, Last: 9, SealedAt: time.Now()}, {First: 10, Last: 19, SealedAt: time.Now()}}
	r := newRecorder(w.partition, delivery.NewRanges(0, slices.Clone(ranges), delivery.Origin{}, -1), 0)
	counted := func() [2]float64 {
		return [2]float64{
			testutil.ToFloat64(w.metrics.dropped.WithLabelValues("sample")), testutil.ToFloat64(w.metrics.corrected),
		}
	}
	for i, want := range [][2]float64{{0, 0}, {7, 3}} {
		b := newBatch(nil)
		b.Range, b.inserted = ranges[1-i], true
		b.drop, b.corrected = map[string]int{"sample": 4 - i}, 1+i
		r.takeBack(b)
		assert.Equal(t, want, counted())
	}
	b := newBatch(nil) // not inserted: the next owner counts it
	b.drop = map[string]int{"sample": 1}
	<-w.free
	r.takeBack(b)
	assert.Equal(t, [2]float64{7, 3}, counted())
}
