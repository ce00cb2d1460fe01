package consumer

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"sluice/consumer/rowbuilder"
	"sluice/consumer/rows"
	"sluice/consumer/step"
	"sluice/internal/event"
)

// Redaction changes all columns, dropped events are counted, and the identity of events stays.
func TestStepsInTheEngine(t *testing.T) {
	d := migrated(t)
	cfg := goodConfig()
	cfg.RedactKeys, cfg.RedactPatterns, cfg.Sample = []string{"password"}, []string{"card"}, 0.5
	p := newBuilder()
	p.Chain.Steps = step.New(cfg.steps())
	b := newBatch(nil)
	b.rows = rows.New()
	const n = 200
	for i := range int64(n) {
		r := fromGateway(i, "demo", idV4(uint64(i)), time.Now(), fmt.Sprintf(`{"message":"card 4111111111111111 of %d","password":"hunter2","timestamp":"2026-11-0%dT00:00:00Z"}`, i, 1+i%9))
		b.add(&r, p)
	}
	dropped := b.drop["sample"]
	if b.rows.Rows()+dropped != n || dropped < n/4 || dropped > 3*n/4 || b.Records != n || len(b.dead) != 0 {
		t.Fatalf("%d rows, %d dropped, %d dead of %d", b.rows.Rows(), dropped, len(b.dead), n)
	}
	if err := insertInto(t, d.native(), b.rows); err != nil {
		t.Fatal(err)
	}
	d.asks("SELECT count() FROM events WHERE position(payload, '4111') > 0 OR position(payload, 'hunter2') > 0 OR position(message, '4111') > 0", "0")
	d.asks("SELECT countIf(message LIKE 'card [redacted] %'), countIf(JSONExtractString(payload, 'password') = '[redacted]') FROM events", fmt.Sprintf("%d\t%d", n-dropped, n-dropped))
	d.asks("SELECT countIf(id_time = toDateTime(timestamp)) FROM events_raw", fmt.Sprint(n-dropped))
}

// A batch whose events are all dropped moves the offset, and then the dropped events are counted.
func TestDroppedEventsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, func(w *worker) { w.cfg.Sample, w.topic.dropped = math.SmallestNonzeroFloat64, true })
		w.topic.add(10)
		w.start()
		time.Sleep(3 * time.Second) // the bubble's clock
		if got := testutil.ToFloat64(w.metrics.dropped.WithLabelValues("sample")); got != 10 {
			t.Errorf("%v dropped", got)
		}
		if got := w.progress.committed.Load(); got != 10 {
			t.Errorf("committed %d", got)
		}
	})
}

// An event that a step makes invalid becomes a dead letter.
func TestBrokenStep(t *testing.T) {
	p := newBuilder()
	p.Chain.Steps = []step.Step{{Name: "broken", Apply: func(in *step.Input) bool {
		in.Replace(func(dst, _ []byte) []byte { return append(dst, "[]"...) })
		return true
	}}}
	r := plain(1)
	err := p.Build(&r, rows.New())
	if err == nil || rowbuilder.DeadReason(err) != event.DeadInvalidEvent || !strings.Contains(err.Error(), "after processing") {
		t.Errorf("got %v", err)
	}
}
