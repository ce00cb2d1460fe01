package consumer

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/blocking"
	"sluice/consumer/budget"
	"sluice/consumer/shared"
	"sluice/internal/backoff"
)

// worker is a partition at work over a topic and a table in memory. Its tests run in a bubble of synctest: time stands
// still until nothing moves, so a test can say what happens a millisecond before and after a deadline.
type worker struct {
	*partition
	t     *testing.T
	topic *memoryTopic
	table *memoryTable
	end   context.CancelFunc // ends the generation
	ended chan struct{}      // run has returned
	once  sync.Once
}

// newWorker makes a partition that seals batches at ten rows and after a second.
func newWorker(t *testing.T, edit ...func(*worker)) *worker {
	t.Helper()
	topic, table := newMemory(t)
	m, _ := newMetrics()
	claim := budget.New(1 << 30).Join()
	w := &worker{t: t, topic: topic, table: table, ended: make(chan struct{}), partition: &partition{
		id: 0, topic: "events", member: topic.member, flushAge: time.Second, cfg: Config{BatchRows: 10, BatchBytes: 1 << 20},
		kafka: topic, offsets: topic, deadLetters: topic, table: table, outcomes: newMemoryOutcomes().writer(m),
		shares: shares{claim: claim, accepted: new(atomic.Uint64), blocks: shared.NewBlocks(table, 1, nil),
			outages: outages{clickhouse: blocking.NewOutage(slog.New(slog.DiscardHandler))}},
		metrics: m, log: slog.New(slog.DiscardHandler), patience: patience{maxPause: backoff.Max, drain: drainBudget},
	}}
	for _, e := range edit {
		e(w)
	}
	return w
}

// start runs the worker until the test ends, in a bubble.
func (w *worker) start() {
	w.startUnbubbled()
	synctest.Wait()
}

// startUnbubbled is start for tests with a real server.
func (w *worker) startUnbubbled() {
	var ctx context.Context
	ctx, w.end = context.WithCancel(context.Background())
	w.t.Cleanup(w.stop)
	go func() {
		defer close(w.ended)
		w.run(ctx)
	}()
}

// stop ends the generation, waits for the partition, and checks that it leaves nothing behind.
func (w *worker) stop() {
	w.once.Do(func() {
		w.end()
		<-w.ended
		if got := w.gauge(w.metrics.buffered); got != 0 {
			w.t.Errorf("%v bytes are said to be buffered after the end", got)
		}
		for _, reason := range blocking.Reasons {
			if got := w.blocked(reason); got != 0 {
				w.t.Errorf("blocked by %s is %v after the end", reason, got)
			}
		}
		if n := testutil.CollectAndCount(w.metrics.lags.Gauge); n > 1 {
			w.t.Errorf("%d lags are reported for a partition", n)
		}
		if bytes, batches := w.claim.Outstanding(); bytes != 0 || batches != 0 {
			w.t.Errorf("%d bytes of the budget are still taken after the end, and %d batches are on their way", bytes, batches)
		}
		if w.turn.Holds() {
			w.t.Error("the partition keeps its turn after the end")
		}
	})
}

// pass lets time pass, and waits until nothing moves.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *worker) gauge(c prometheus.Collector) float64 { return testutil.ToFloat64(c) }

func (w *worker) blocked(reason string) float64 {
	return testutil.ToFloat64(w.metrics.blocked.WithLabelValues(reason))
}

func (w *worker) lag() float64 {
	return testutil.ToFloat64(w.metrics.lags.Gauge.WithLabelValues("events", "0"))
}

// expect compares the journal, written as lines joined by commas.
func (w *worker) expect(want string) {
	w.t.Helper()
	if got := strings.Join(w.topic.journal.read(), ", "); got != want {
		w.t.Errorf("happened: %s\n    want: %s", got, want)
	}
}

// inserted compares the inserts that succeeded, in any order, and the committed offset.
func (w *worker) inserted(head int64, want ...string) {
	w.t.Helper()
	var got []string
	for _, l := range w.topic.journal.read() {
		if rest, ok := strings.CutPrefix(l, "insert "); ok && !strings.Contains(rest, " ") {
			got = append(got, rest)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || w.topic.at() != head {
		w.t.Errorf("inserted %v, committed %d; want %v and %d", got, w.topic.at(), want, head)
	}
}

// happened counts a line of the journal.
func (w *worker) happened(line string) int {
	n := 0
	for _, l := range w.topic.journal.read() {
		if l == line {
			n++
		}
	}
	return n
}

// inOrder says whether the journal has these lines in this order, with other lines between them or not.
func (w *worker) inOrder(lines ...string) bool {
	all := w.topic.journal.read()
	for _, l := range lines {
		i := slices.Index(all, l)
		if i < 0 {
			return false
		}
		all = all[i+1:]
	}
	return true
}
