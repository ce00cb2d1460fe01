package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The ages that are reported are those of a batch's oldest event, from its receipt at the gateway until its row is there; a dead
// letter has none.
func TestAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.topic.put(plain(0)) // received now
		pass(5 * time.Second)
		w.topic.put(record{value: []byte("not JSON")})
		w.topic.put(plain(2))
		w.start()
		pass(time.Second)
		w.expect("bury 1-1, insert 0-2")
		if got := w.gauge(w.metrics.lagSeconds); got != 6 {
			t.Errorf("the oldest event was %v s old, want 6", got)
		}
		if n, sum := observed(t, w.metrics.endToEnd); n != 1 || sum != 6 {
			t.Errorf("end to end: %d batches, %v s in all", n, sum)
		}
		if n, sum := observed(t, w.metrics.batchRows); n != 1 || sum != 2 {
			t.Errorf("%d batches of %v rows", n, sum)
		}
	})
}

// The time of an insert is that of the attempt that succeeded: an outage is not a slow insert.
func TestInsertDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = plans(fails, fails, fails)
		w.topic.add(10)
		w.start()
		pass(time.Minute)
		if n, sum := observed(t, w.metrics.insertDuration); n != 1 || sum != 0 {
			t.Errorf("%d inserts that took %v s", n, sum)
		}
	})
}

// Every metric that dashboards name is there under its name, with labels that cannot grow.
func TestMetricNames(t *testing.T) {
	m, collectors := newMetrics()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors...)
	m.setLag("events", 0, 1)
	m.dead.WithLabelValues("tombstone").Inc()
	m.insertErrors.WithLabelValues("network").Inc()
	m.blocked.WithLabelValues(blockedSetup).Inc()
	for _, name := range []string{
		"lag_messages", "lag_seconds", "rows_inserted_total", "dead_letters_total", "insert_duration_seconds", "batch_rows",
		"insert_errors_total", "rebalances_total", "offset_gaps_total", "blocked", "buffered_bytes", "end_to_end_seconds",
	} {
		if n, err := testutil.GatherAndCount(registry, "sluice_consumer_"+name); err != nil || n != 1 {
			t.Errorf("%s: %d series, error %v", name, n, err)
		}
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, error %v", problems, err)
	}
}

// observed is how often a histogram was told something, and the sum of it.
func observed(t *testing.T, h prometheus.Histogram) (uint64, float64) {
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
