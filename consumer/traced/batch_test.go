package traced

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/tracing/tracingtest"
)

// parent is the traceparent of the n-th request. Its trace id ends in n.
func parent(n int, flags string) string {
	return fmt.Sprintf("00-0af7651916cd43dd8448eb21%08x-b7ad6b7169203331-%s", n, flags)
}

func traceOf(n int) string { return parent(n, "01")[3:35] }

func result(inserted bool) Result {
	return Result{Topic: "events", Group: "sluice", Table: "events_raw", Began: time.Now(), Rows: 1, Records: 1, Inserted: inserted}
}

// A batch keeps the requests up to its bound, with one span each, and counts the records of the others.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	for _, requests := range []int{mostRequests - 1, mostRequests, mostRequests + 1} {
		c := tracingtest.NewCollector(t)
		tracer := c.Tracer(t, 0)
		b := New(tracer)
		for n := range requests {
			for range 3 { // a bulk
				b.Record(parent(n, "01"), int64(n), "")
			}
			b.Record(parent(n, "00"), int64(n), "")
			b.Record("", int64(n), "")
		}
		b.Sealed()
		b.Insert(time.Now(), time.Second, "")
		b.End(result(true))
		spans := c.Flush(t, tracer)
		kept := min(requests, mostRequests)
		assert.Len(t, spans, 3*(kept+1))
		whole := spans[len(spans)-1]
		assert.Len(t, whole.GetLinks(), kept)
		assert.Equal(t, 3*(requests-kept), whole.Int("sluice.batch.traced_records_left_out"))
		first := c.Trace(traceOf(0))["process events"]
		assert.Equal(t, 3, first.Int("messaging.batch.message_count"))
	}
}

// The spans of a request say what became of it: a dead letter at once, one by ClickHouse's refusal, or not finished.
func TestFaults(t *testing.T) {
	t.Parallel()
	c := tracingtest.NewCollector(t)
	tracer := c.Tracer(t, 0)
	b := New(tracer)
	b.Record(parent(1, "01"), 1, "invalid_event")
	b.Record(parent(2, "01"), 2, "")
	b.Record(parent(3, "01"), 3, "")
	b.DeadLettered(2, "refused_by_database")
	b.Insert(time.Now(), time.Second, "241")
	b.End(result(true))
	b.Reset()
	b.Record(parent(4, "01"), 4, "")
	b.End(result(false))
	c.Flush(t, tracer)
	for n, want := range map[int]string{1: "invalid_event", 2: "refused_by_database", 3: "", 4: notFinished} {
		span, ok := c.Trace(traceOf(n))["process events"]
		require.True(t, ok, "request %d", n)
		assert.Equal(t, want, span.GetStatus().GetMessage(), "request %d", n)
	}
	assert.Equal(t, "241", c.Trace(traceOf(1))["INSERT events_raw"].Text("error.type"))
	assert.Len(t, c.Trace(traceOf(4)), 1, "a batch that was never inserted has no insert")
}

// Without a traced request the share decides about a batch.
func TestBatchesWithoutATracedRequest(t *testing.T) {
	t.Parallel()
	for share, want := range map[float64]int{0: 0, 1: 3} {
		c := tracingtest.NewCollector(t)
		tracer := c.Tracer(t, share)
		b := New(tracer)
		b.Record(parent(1, "00"), 1, "")
		b.Sealed()
		b.Insert(time.Now(), time.Second, "")
		b.End(result(true))
		assert.Len(t, c.Flush(t, tracer), want, "share %v", share)
	}
}

// A batch without a tracer allocates nothing.
func TestOff(t *testing.T) {
	b := New(nil)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		b.Record(parent1, 1, "")
		b.Sealed()
		b.Insert(time.Time{}, 0, "")
		b.End(Result{})
		b.Reset()
	}))
}

var parent1 = parent(1, "01")
