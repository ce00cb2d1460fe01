package questions

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
)

// realistic is a number of events in events_raw, made by testdata/realistic.sql. They end when the last hour began.
type realistic struct {
	d    *clickhousetest.Database
	rows int
	text string // the statement, without the numbers that it inserts
	end  string
	base parameters // of most questions, once asked for
	some []string   // an event, its trace, its user, and the hour that it lies in
}

func newRealistic(tb testing.TB, d *clickhousetest.Database, rows int) *realistic {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "realistic.sql"))
	require.NoError(tb, err)
	r := &realistic{d: d, rows: rows, end: d.Ask("SELECT toStartOfHour(now('UTC'))")}
	r.text = strings.NewReplacer("{rows}", strconv.Itoa(rows), "{end}", r.end).Replace(string(text))
	return r
}

// insert is the statement that inserts the events with the numbers that a source gives, as one part for each table
// partition.
func (r *realistic) insert(source string) string {
	return strings.Replace(r.text, "{from}", source, 1) + " SETTINGS max_insert_block_size = 2000000, " +
		"min_insert_block_size_rows = 2000000, min_insert_block_size_bytes = 4000000000, max_insert_threads = 1, " +
		"max_partitions_per_insert_block = 300"
}

// byReceipt inserts the events as the consumer does: 15 inserts, each of about two days, and ten of the last moments.
func (r *realistic) byReceipt() {
	r.d.T.Helper()
	young := r.rows / 1000
	old := r.rows - young
	for n := range 15 {
		first, next := old*n/15, old*(n+1)/15
		r.d.Ask(r.insert(fmt.Sprintf("numbers(%d, %d)", first, next-first)))
	}
	for n := range 10 {
		r.d.Ask(r.insert(fmt.Sprintf("numbers(%d, %d) WHERE number %% 10 = %d", old, young, n)))
	}
}

// overlapping inserts the events in 15 inserts, each of which has events of the whole thirty days.
func (r *realistic) overlapping() {
	r.d.T.Helper()
	for n := range 15 {
		r.d.Ask(r.insert(fmt.Sprintf("numbers(%d) WHERE number %% 15 = %d", r.rows, n)))
	}
}

// arrive inserts events of the present, rate a second in twelve inserts, until the returned function is called. These
// are as realistic as the others: some are resends, some are days late. It returns after 20 seconds' worth of inserts.
func (r *realistic) arrive(rate int) (stop func()) {
	const inserts = 12
	text, err := os.ReadFile(filepath.Join("testdata", "realistic.sql"))
	require.NoError(r.d.T, err)
	month := rate * 30 * 86400 // as many events at this rate
	dense := *r
	dense.text = strings.NewReplacer("{rows}", strconv.Itoa(month), "{end}", r.end).Replace(string(text))
	end, done, many := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second / inserts)
		defer tick.Stop()
		for first := month; ; first += rate / inserts {
			select {
			case <-end:
				r.d.T.Logf("%d events arrived", first-month)
				return
			case <-tick.C:
			}
			if _, err := r.d.TryAsk(r.d.Name, dense.insert(fmt.Sprintf("numbers(%d, %d)", first, rate/inserts))); err != nil {
				r.d.T.Errorf("an insert: %v", err)
				return
			}
			if first == month+20*inserts*(rate/inserts) {
				close(many)
			}
		}
	}()
	select {
	case <-many:
	case <-done:
	}
	return func() { close(end); <-done }
}

// of is the same data in a benchmark within the benchmark.
func (r *realistic) of(tb testing.TB) *realistic {
	inner := *r
	inner.d = &clickhousetest.Database{Name: r.d.Name, T: tb}
	return &inner
}

// parameters returns the parameters of the question with a number, about something that the events contain.
func (r *realistic) parameters(number string) parameters {
	r.d.T.Helper()
	ago := func(interval string) string {
		return r.d.Ask("SELECT toDateTime('" + r.end + "', 'UTC') - INTERVAL " + interval)
	}
	if r.base == nil {
		r.base = parameters{
			"project": "shop", "start": ago("31 DAY"), "end": ago("-1 HOUR"), "hour": ago("1 HOUR"),
			"before": "2.17.0", "after": "2.18.0", "release": "2.18.0", "text": "timed out", "field": "duration_ms",
		}
		r.some = strings.Split(r.d.Ask("SELECT event_id, trace_id, user_id, toStartOfHour(timestamp), "+
			"toStartOfHour(timestamp) + INTERVAL 1 HOUR FROM events WHERE project_id = 'shop' AND trace_id != '' AND "+
			"user_id != '' AND timestamp > '"+ago("3 DAY")+"' ORDER BY timestamp, event_id LIMIT 1"), "\t")
		require.Len(r.d.T, r.some, 5)
		r.base["event"], r.base["trace"], r.base["user"] = r.some[0], r.some[1], r.some[2]
		r.base["issue"] = r.d.Ask("SELECT issue_id FROM events WHERE project_id = 'shop' AND level >= 'error' " +
			"GROUP BY issue_id ORDER BY count() DESC, issue_id LIMIT 1")
	}
	p := r.base.but()
	switch number {
	case "04", "08", "12":
		p["start"] = ago("1 DAY")
	case "07", "18":
		p["start"] = ago("7 DAY")
	case "13":
		p["start"] = ago("1 HOUR")
	case "14", "19":
		p["start"], p["end"] = r.some[3], r.some[4]
	}
	return p
}
