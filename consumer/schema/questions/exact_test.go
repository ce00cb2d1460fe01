package questions

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
)

// firstCopies is what events must be, asked of the table in the plainest way: of each event the copy received first.
const firstCopies = `SELECT project_id, event_id, argMin(_offset, received_at) AS _offset, min(received_at) AS first
	FROM events_raw GROUP BY project_id, event_id`

// TestSameAsFirstCopies asks each question of realistic events through the views, and of a table that has the first
// copies alone. Events lie in order of receipt or not, in a table of this version or of an earlier one, merged or not.
func TestSameAsFirstCopies(t *testing.T) {
	for _, layout := range []string{"by receipt", "overlapping"} {
		t.Run(layout, func(t *testing.T) {
			t.Parallel()
			d := clickhousetest.Migrated(t)
			d.Ask("SYSTEM STOP MERGES events_raw")
			r := newRealistic(t, d, 6000)
			if layout == "overlapping" {
				r.overlapping()
			} else {
				r.byReceipt()
			}
			plain := firstCopiesOf(t, d)
			for _, q := range all(t) {
				answer := mustAsk(t, plain, q, r.parameters(q.number()))
				require.Greater(t, strings.Count(answer, "\n"), 1, "%s has no answer, so that the test shows nothing", q.name)
			}
			compareAnswers(t, r, plain)
			d.Ask("SYSTEM START MERGES events_raw")
			d.Ask("OPTIMIZE TABLE events_raw FINAL")
			compareAnswers(t, r, plain)
		})
	}
}

// firstCopiesOf makes a database whose tables have the names of views, and the first copies alone.
func firstCopiesOf(tb testing.TB, d *clickhousetest.Database) *clickhousetest.Database {
	tb.Helper()
	plain := clickhousetest.New(tb)
	plain.AskServer("CREATE DATABASE " + plain.Name)
	tb.Cleanup(func() {
		_, _ = clickhousetest.Query(context.Background(), "default", "DROP DATABASE "+plain.Name+" SYNC")
	})
	from := " FROM " + d.Name + ".events_raw WHERE (project_id, event_id, _offset) IN (" +
		"SELECT project_id, event_id, _offset FROM (" + strings.Replace(firstCopies, "events_raw", d.Name+".events_raw", 1) + "))"
	plain.Ask("CREATE TABLE events ENGINE = MergeTree ORDER BY _offset AS SELECT *, issue_id" + from)
	plain.Ask("CREATE TABLE outcomes ENGINE = MergeTree ORDER BY minute AS SELECT project_id, " +
		"toStartOfMinute(toDateTime(received_at, 'UTC')) AS minute, 'accepted' AS outcome, 1 AS events" + from)
	return plain
}

// drop removes a database when its test has ended.
func drop(d *clickhousetest.Database) {
	_, _ = clickhousetest.Query(context.Background(), "default", "DROP DATABASE "+d.Name+" SYNC")
}

// checkFirstCopies compares the rows of the view with the copies received first. Both sides of the question see the
// same parts of the table.
func checkFirstCopies(tb testing.TB, d *clickhousetest.Database) {
	tb.Helper()
	const rows = "SELECT count() AS n, sum(sipHash64(project_id, event_id, %s)) AS hash FROM %s"
	view, plain := fmt.Sprintf(rows, "received_at", "events"), fmt.Sprintf(rows, "first", "("+firstCopies+")")
	require.Equal(tb, "1\t1", d.Ask("SELECT v.n = p.n, v.hash = p.hash FROM ("+view+") AS v, ("+plain+
		") AS p SETTINGS enable_shared_storage_snapshot_in_query = 1"), "the view has other rows than the first copies")
}

// compareAnswers compares what the views answer with what tables of the same names answer.
func compareAnswers(tb testing.TB, r *realistic, plain *clickhousetest.Database) {
	tb.Helper()
	require.NotEqual(tb, "0", r.d.Ask("SELECT count() FROM events_raw"))
	for _, q := range all(tb) {
		p := r.parameters(q.number())
		want := mustAsk(tb, plain, q, p)
		require.Equal(tb, want, mustAsk(tb, r.d, q, p), q.name)
	}
	require.Equal(tb, plain.Ask("SELECT * FROM ("+issuesOf("events")+") ORDER BY ALL"),
		r.d.Ask("SELECT * FROM issues ORDER BY ALL"))
}

// TestExactWhileInsertsArrive inserts events, most of them twice, the second copy often first, while merges run, and asks
// all the time: the view has one row for each event that the table has, and that row is the copy received first.
func TestExactWhileInsertsArrive(t *testing.T) {
	d := clickhousetest.Migrated(t)
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable
	inserts := make([]string, 0, 60)
	for n := range cap(inserts) {
		first := 37 * max(0, n-random.IntN(5))
		inserts = append(inserts, fmt.Sprintf(`INSERT INTO events_raw
			(project_id, event_id, id_time, timestamp, received_at, level, message, _offset)
			SELECT 'p-' || toString(number %% 3), reinterpretAsUUID(sipHash128(number)),
				toDateTime('2026-11-01 00:00:00', 'UTC') + toUInt32(number * 7919 %% 864000) AS id_time,
				id_time + toUInt32(sipHash64(number, %[1]d) %% 3), id_time + 1 + sipHash64(number, %[1]d) %% 100000, 'error',
				toString(%[1]d), %[1]d * 100000 + number FROM numbers(%[2]d, 111)`, n, first))
	}
	done := make(chan struct{})
	t.Cleanup(func() { <-done })
	go func() {
		defer close(done)
		for n, insert := range inserts {
			if _, err := d.TryAsk(d.Name, insert); err != nil {
				t.Errorf("insert %d: %v", n, err)
				return
			}
			if n%10 == 9 {
				_, _ = d.TryAsk(d.Name, "OPTIMIZE TABLE events_raw FINAL")
			}
		}
	}()
	// Both sides of a question see the same parts of the table.
	const wrong = `SELECT count() FROM
		(SELECT project_id, event_id, _offset, 1 AS n FROM events) AS view
		FULL JOIN (SELECT project_id, event_id, _offset, 1 AS n FROM (` + firstCopies + `)) AS plain USING (project_id, event_id, _offset)
		WHERE view.n = 0 OR plain.n = 0 SETTINGS enable_shared_storage_snapshot_in_query = 1`
	const twice = "SELECT count() - uniqExact(project_id, event_id) FROM events"
	const hours = `SELECT sum(n) - (SELECT count() FROM events) FROM (SELECT toStartOfHour(timestamp) AS hour,
		count() AS n FROM events GROUP BY hour) SETTINGS enable_shared_storage_snapshot_in_query = 1`
	asked := 0
	for running := true; running; asked++ {
		select {
		case <-done:
			running = false // asks once more
		default:
		}
		d.Asks(wrong, "0")
		d.Asks(twice, "0")
		d.Asks(hours, "0")
	}
	t.Logf("asked %d times", asked)
	d.Asks("SELECT count() > 2000 FROM events", "1")
}
