package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"

	"sluice/consumer/clickhouse"
	"sluice/consumer/counts"
	"sluice/internal/event"
	outcomes "sluice/internal/outcome"
	"sluice/internal/recordbatch"
)

// memoryOutcomes is the table of counts, as ClickHouse merges it: of rows with the same key the largest number.
type memoryOutcomes struct {
	inserts *plan

	mu      sync.Mutex
	rows    map[counts.Row]int64
	written int // rows inserted, each time
}

func newMemoryOutcomes() *memoryOutcomes {
	return &memoryOutcomes{inserts: plans(), rows: map[counts.Row]int64{}}
}

func (m *memoryOutcomes) writer(of *metrics) counts.Writer {
	return counts.Writer{Table: m, Lost: of.lostCounts, Log: slog.New(slog.DiscardHandler)}
}

func (m *memoryOutcomes) InsertOutcomes(_ context.Context, rows []counts.Row) error {
	o := m.inserts.take()
	if !o.done {
		return o.err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rows {
		n := r.Events
		r.Events = 0
		m.rows[r] = max(m.rows[r], n)
		m.written++
	}
	return o.err
}

// sums adds up, as text: project protocol outcome reason.
func (m *memoryOutcomes) sums() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]int64{}
	for r, n := range m.rows {
		out[fmt.Sprintf("%s %s %s %s", r.Project, r.Protocol, r.Outcome, r.Reason)] += n
	}
	return out
}

// countsRecord is a record as a gateway publishes it.
func countsRecord(value []byte) recordbatch.Record {
	e := event.Envelope{Project: outcomes.RecordProject, ID: event.NewID(), ReceivedAt: time.Now(), Format: outcomes.Format}
	return recordbatch.Record{Value: value, Headers: e.Headers()}
}

func refusalsOf(n int64) []byte {
	return outcomes.Encode(uuid.UUID{9}, []counts.Row{
		{Project: "demo", Minute: 60, Protocol: "native", Outcome: outcomes.Rejected, Reason: "malformed", Events: n},
	})
}

// What a range counts is inserted before the offset passes it, once, whatever fails and whoever replays it.
func TestOutcomesOfAPartition(t *testing.T) {
	for name, c := range map[string]struct {
		inserts *plan
		crashes int // owners that stop before the counts are known to be in
	}{
		"nothing fails":          {inserts: plans()},
		"two inserts fail":       {inserts: plans(fails, fails)},
		"an answer is lost":      {inserts: plans(losesTail)},
		"the owner stops before": {inserts: always(fails), crashes: 1},
		"the owner stops after":  {inserts: always(losesTail), crashes: 1},
		"several owners stop":    {inserts: always(losesTail), crashes: 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := newMemoryOutcomes()
				table.inserts = c.inserts
				sampled := func(w *worker) { w.outcomes = table.writer(w.metrics); w.cfg.Sample = 1e-9; w.topic.dropped = true }
				w := newWorker(t, sampled)
				w.topic.add(4) // dropped by the step
				w.topic.put(countsRecord(refusalsOf(3)), countsRecord(refusalsOf(5)), countsRecord(refusalsOf(4)))
				w.topic.put(recordbatch.Record{Value: []byte("{"), Headers: plain(0).Headers}, recordbatch.Record{Value: []byte("{}")})
				w.topic.put(countsRecord([]byte(`{"outcomes":[]}`)))
				for range c.crashes {
					w.start()
					pass(5 * time.Second)
					assert.LessOrEqual(t, w.topic.at(), int64(0), "the offset passed counts that are not in")
					w.stop()
					w = w.next(sampled)
				}
				if c.crashes > 0 {
					table.inserts.change(succeeds)
				}
				w.start()
				pass(time.Minute)
				assert.EqualValues(t, 10, w.topic.at())
				assert.Equal(t, map[string]int64{
					"demo native rejected malformed":           5,
					"demo native filtered sample":              4,
					"demo native dead_lettered malformed_json": 1,
					" unknown dead_lettered missing_header":    1,
					" unknown dead_lettered invalid_event":     1,
				}, table.sums())
			})
		})
	}
}

// A set-up without a place for counts does not hold up events, and says what it loses.
func TestOutcomesWithoutATable(t *testing.T) {
	for _, c := range []struct{ code, lost int }{{60, 1}, {497, 1}, {210, 0}} {
		synctest.Test(t, func(t *testing.T) {
			table := newMemoryOutcomes()
			table.inserts = always(outcome{err: &clickhouse.ServerError{Code: c.code}})
			w := newWorker(t, func(w *worker) { w.outcomes = table.writer(w.metrics); w.topic.dropped = true })
			w.topic.put(countsRecord(refusalsOf(3)))
			w.topic.add(3)
			w.start()
			pass(time.Minute)
			assert.InDelta(t, c.lost, w.gauge(w.metrics.lostCounts), 0, "code %d", c.code)
			assert.EqualValues(t, 4*c.lost, w.topic.at(), "code %d", c.code)
			table.inserts.change(succeeds)
			pass(time.Minute)
			assert.EqualValues(t, 4, w.topic.at(), "code %d", c.code)
			assert.Len(t, table.sums(), 1-c.lost)
		})
	}
}
