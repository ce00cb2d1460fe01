package questions

import (
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
)

var (
	benchRows  = flag.Int("questions.rows", 10_000_000, "events of BenchmarkQuestions")
	benchPairs = flag.Int("questions.pairs", 5, "how often BenchmarkQuestions asks the view and the table in turn")
)

// BenchmarkQuestions asks the questions of docs/queries through the views, and of the table behind them, in turn:
//
//   - by_receipt: the events lie in the parts that a consumer makes, each of about two days
//   - overlapping: they lie in 15 parts of each day, all of which overlap
//   - merged: each day is one part
//   - arriving: 2,000 events a second arrive on top of that, late events and resends among them, and merges run
//
// It logs the processor time and the time of each question, and reports medians. In each state it compares the rows of
// the view with the copies received first, and the twenty answers with those of a table that has these alone.
//
//	go test ./consumer/schema/questions -run '^$' -bench Questions -benchtime 1x -timeout 2h -v
func BenchmarkQuestions(b *testing.B) {
	b.Run("by_receipt", func(b *testing.B) {
		r := newBench(b)
		r.byReceipt()
		askAll(b, r, firstCopiesOf(b, r.d))
	})
	b.Run("overlapping", func(b *testing.B) {
		r := newBench(b)
		r.overlapping()
		plain := firstCopiesOf(b, r.d)
		askAll(b, r, plain)
		b.Run("merged", func(b *testing.B) {
			r, plain := r.of(b), &clickhousetest.Database{Name: plain.Name, T: b}
			r.d.Ask("SYSTEM START MERGES events_raw")
			r.d.Ask("OPTIMIZE TABLE events_raw FINAL")
			askAll(b, r, plain)
		})
		b.Run("arriving", func(b *testing.B) {
			r := r.of(b)
			stop := r.arrive(2000)
			defer stop()
			askAll(b, r, nil)
		})
	})
}

// newBench is a database for realistic events, without merges, that goes with the benchmark.
func newBench(b *testing.B) *realistic {
	b.Helper()
	d := clickhousetest.Migrated(b)
	b.Cleanup(func() { drop(d) })
	d.Ask("SYSTEM STOP MERGES events_raw")
	return newRealistic(b, d, *benchRows)
}

// cost is what a question takes.
type cost struct{ processor, wall time.Duration }

// askAll asks all questions and reports what they cost. The answers must be those of a database whose tables have the
// first copies alone; nil: more events arrive than it has.
func askAll(b *testing.B, r *realistic, plain *clickhousetest.Database) {
	b.Helper()
	checkFirstCopies(b, r.d)
	const parts = "SELECT count(), sum(rows), round(sum(bytes_on_disk) / sum(rows), 1) FROM system.parts WHERE active AND " +
		"database = currentDatabase() AND table = 'events_raw'"
	b.Logf("parts, rows, bytes a row: %s", r.d.Ask(parts))
	if plain != nil {
		compareAnswers(b, r, plain)
	}
	conn := native(b, r.d)
	var ratios, views []float64
	for _, q := range append(all(b), viewQuestions...) {
		p := r.parameters(q.number())
		var view, table []cost
		for range *benchPairs + 1 {
			view, table = append(view, timed(b, conn, q, p)), append(table, timed(b, conn, q.ofTable(), p))
		}
		v, t := middleCost(view[1:]), middleCost(table[1:]) // the first warms
		ratio := float64(v.processor) / float64(t.processor)
		b.Logf("%-30s processor: view %5d ms, table %5d ms, %5.2f times; wall: view %5d ms, table %5d ms, %5.2f times", q.name,
			v.processor.Milliseconds(), t.processor.Milliseconds(), ratio,
			v.wall.Milliseconds(), t.wall.Milliseconds(), float64(v.wall)/float64(t.wall))
		if q.number() != "" {
			ratios, views = append(ratios, ratio), append(views, v.wall.Seconds()*1000)
		}
	}
	checkFirstCopies(b, r.d)
	b.Logf("parts, rows, bytes a row in the end: %s", r.d.Ask(parts))
	b.ReportMetric(middle(ratios), "median_ratio")
	b.ReportMetric(slices.Max(ratios), "max_ratio")
	b.ReportMetric(middle(views), "median_ms")
	b.ReportMetric(slices.Max(views), "max_ms")
	b.ReportMetric(0, "ns/op")
}

// viewQuestions are asked of the other views, besides the twenty.
var viewQuestions = []question{
	{name: "issues", text: "SELECT * FROM issues\nWHERE project_id = {project:String} ORDER BY events DESC LIMIT 20"},
	{name: "issues of a day", text: "SELECT * FROM issues\nWHERE project_id = {project:String} AND " +
		"last_seen > {end:DateTime('UTC')} - INTERVAL 25 HOUR ORDER BY events DESC LIMIT 20"},
	{name: "events_per_minute", text: "SELECT * FROM events_per_minute\nWHERE project_id = {project:String} AND " +
		"minute >= {end:DateTime('UTC')} - INTERVAL 25 HOUR"},
	{name: "outcomes of an hour", text: "SELECT project_id, sum(events) FROM outcomes\nWHERE " +
		"minute >= {hour:DateTime('UTC')} AND minute < {end:DateTime('UTC')} GROUP BY project_id"},
}

// native is a connection over the native protocol, which says what a question cost.
func native(b *testing.B, d *clickhousetest.Database) clickhouse.Conn {
	b.Helper()
	opts, err := clickhouse.ParseDSN(d.Native() + "?max_threads=2")
	require.NoError(b, err)
	conn, err := clickhouse.Open(opts)
	require.NoError(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return conn
}

// timed asks a question and reads the answer to its end.
func timed(b *testing.B, conn clickhouse.Conn, q question, p parameters) cost {
	b.Helper()
	var c cost
	ctx := clickhouse.Context(context.Background(), clickhouse.WithParameters(clickhouse.Parameters(p)),
		clickhouse.WithProfileEvents(func(events []clickhouse.ProfileEvent) {
			for _, e := range events {
				if e.Name == "UserTimeMicroseconds" || e.Name == "SystemTimeMicroseconds" {
					c.processor += time.Duration(e.Value) * time.Microsecond
				}
			}
		}))
	start := time.Now()
	rows, err := conn.Query(ctx, q.text)
	require.NoError(b, err, q.name)
	for rows.Next() { //nolint:revive // the rows count, not what is in them
	}
	require.NoError(b, rows.Err(), q.name)
	require.NoError(b, rows.Close())
	c.wall = time.Since(start)
	return c
}

func middleCost(costs []cost) cost {
	var processor, wall []float64
	for _, c := range costs {
		processor, wall = append(processor, float64(c.processor)), append(wall, float64(c.wall))
	}
	return cost{time.Duration(middle(processor)), time.Duration(middle(wall))}
}

func middle(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
