package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"sluice/consumer/step"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// The end-to-end time is that of a batch's oldest event, from its receipt at the gateway until its row is visible. Dead
// letters have none.
func TestEndToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.put(plain(0)) // received now
		pass(5 * time.Second)
		w.topic.put(recordbatch.Record{Value: []byte("not JSON")})
		w.topic.put(plain(2))
		w.start()
		pass(time.Second)
		w.expect("dead 1-1, insert 0-2")
		if n, sum := histogram(t, w.metrics.endToEnd); n != 1 || sum != 6 {
			t.Errorf("end to end: %d batches, %v s in all", n, sum)
		}
		if n, sum := histogram(t, w.metrics.batchRows); n != 1 || sum != 2 {
			t.Errorf("%d batches of %v rows", n, sum)
		}
	})
}

// A row is late if ClickHouse has it more than 60 s after the gateway got the event. The rest of its batch is not.
func TestLateRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.put(plain(0))
		pass(time.Minute)
		w.topic.put(plain(1))
		w.topic.put(plain(2))
		w.start()
		pass(2 * time.Second)
		w.expect("insert 0-2, commit 3")
		require.InDelta(t, 1, testutil.ToFloat64(w.metrics.late), 0)
		require.InDelta(t, 3, testutil.ToFloat64(w.metrics.rows), 0)
	})
}

// A row is late after 60 s, not at 60 s.
func TestLateAtItsLimit(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]int{
		lateAfter - time.Millisecond: 0, lateAfter: 0, lateAfter + time.Millisecond: 1,
	} {
		block := blockOf(t, fromGateway(0, "demo", idV4(1), now.Add(-age), `{"message":"x"}`))
		require.Equal(t, want, block.ReceivedBefore(now.Add(-lateAfter)), age)
	}
}

// The duration of an insert is that of the try that succeeded: an outage is not a slow insert.
func TestInsertDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = plans(fails, fails, fails)
		w.topic.add(10)
		w.start()
		pass(time.Minute)
		if n, sum := histogram(t, w.metrics.insertDuration); n != 1 || sum != 0 {
			t.Errorf("%d inserts that took %v s", n, sum)
		}
	})
}

// Every metric that dashboards name exists from the start, with all labels that are known, so that a first dead letter
// is an increase.
func TestMetricNames(t *testing.T) {
	m, collectors := newMetrics()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors...)
	m.begin(step.New(Config{Sample: 0.5, RedactKeys: []string{"password"}}.steps()))
	m.lags.Of("events", 0).Ends(0)
	for name, series := range map[string]int{
		"lag_records": 1, "lag_seconds": 1, "rows_inserted_total": 1, "dead_letters_total": len(event.DeadReasons()), "dropped_total": 3,
		"insert_duration_seconds": 1, "batch_rows": 1, "insert_errors_total": 1, "rebalances_total": 1, "offset_gaps_total": 1, "blocked": 4,
		"buffered_bytes": 1, "end_to_end_seconds": 1, "assigned_partitions": 1, "topic_partitions": 1,
		"late_rows_total": 1,
	} {
		if n, err := testutil.GatherAndCount(registry, "sluice_consumer_"+name); err != nil || n != series {
			t.Errorf("%s: %d series, want %d, error %v", name, n, series, err)
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, error %v", problems, err)
	}
}

// histogram is the count and the sum of a histogram.
func histogram(t *testing.T, h prometheus.Histogram) (uint64, float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(h)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	histogram := families[0].GetMetric()[0].GetHistogram()
	return histogram.GetSampleCount(), histogram.GetSampleSum()
}
