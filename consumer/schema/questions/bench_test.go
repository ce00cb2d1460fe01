package questions

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
)

var (
	benchRows  = flag.Int("questions.rows", 10_000_000, "events of BenchmarkQuestions")
	benchPairs = flag.Int("questions.pairs", 5, "how often BenchmarkQuestions asks the view and the table in turn")
)

// BenchmarkQuestions asks the questions of docs/queries through the views, and of the table behind them, in turn: with
// events in the parts that a consumer makes, with events in parts that all overlap, and merged. It reports the median of
// the questions' ratios, and logs the times of each.
//
//	go test ./consumer/schema/questions -run '^$' -bench Questions -benchtime 1x -timeout 2h -v
func BenchmarkQuestions(b *testing.B) {
	for _, layout := range []string{"by_receipt", "overlapping"} {
		b.Run(layout, func(b *testing.B) {
			d := clickhousetest.Migrated(b)
			defer d.Ask("DROP DATABASE " + d.Name + " SYNC")
			d.Ask("SYSTEM STOP MERGES events_raw")
			r := newRealistic(b, d, *benchRows)
			if layout == "overlapping" {
				r.overlapping()
			} else {
				r.byReceipt()
			}
			askAll(b, r, "parts")
			d.Ask("SYSTEM START MERGES events_raw")
			d.Ask("OPTIMIZE TABLE events_raw FINAL")
			askAll(b, r, "merged")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// askAll asks all questions and reports how long they took.
func askAll(b *testing.B, r *realistic, state string) {
	b.Helper()
	b.Logf("%s: %s parts, %s bytes a row", state,
		r.d.Ask("SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events_raw'"),
		r.d.Ask("SELECT round(sum(bytes_on_disk) / sum(rows), 1) FROM system.parts WHERE active AND "+
			"database = currentDatabase() AND table = 'events_raw'"))
	var ratios, views []float64
	for _, q := range all(b) {
		p := r.parameters(q.number())
		timed := func(q question) float64 {
			start := time.Now()
			mustAsk(b, r.d, q, p)
			return time.Since(start).Seconds()
		}
		var view, table []float64
		for range *benchPairs + 1 {
			view, table = append(view, timed(q)), append(table, timed(q.ofTable()))
		}
		v, t := middle(view[1:]), middle(table[1:]) // the first warms
		b.Logf("%s, %-30s view %7.1f ms, table %7.1f ms, %5.2f times", state, q.name, 1000*v, 1000*t, v/t)
		ratios, views = append(ratios, v/t), append(views, v)
	}
	b.ReportMetric(middle(ratios), state+"_median_ratio")
	b.ReportMetric(1000*middle(views), state+"_median_ms")
	issues := time.Now()
	r.d.Ask("SELECT * FROM issues WHERE project_id = 'shop' ORDER BY events DESC LIMIT 20")
	b.Logf("%s, the view issues of a project: %s", state, fmt.Sprint(time.Since(issues).Round(time.Millisecond)))
}

func middle(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	return values[len(values)/2]
}
