package schema

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
	"sluice/internal/outcome"
)

// The view counts each event once and each count once, however often they were inserted, merged or not.
func TestOutcomesView(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		store := storeAt(dsn)
		apply(t, store)
		d.Ask("SYSTEM STOP MERGES events_raw")
		d.Ask("SYSTEM STOP MERGES outcomes_raw")
		of := func(offset int64, project string, id uint64, format string) rowstest.Record {
			r := rowstest.From(offset, project, rowstest.ID(id), time.Now(), `{"message":"m"}`)
			r.Envelope.Format = format
			return r
		}
		putRows(t, store, of(1, "one", 1, ""), of(2, "one", 2, ""), of(3, "two", 3, ""))
		putRows(t, store, of(4, "one", 1, "")) // a resend
		minute := outcome.MinuteOf(time.Now().Add(-time.Hour))
		count := func(source byte, n int64) outcome.Row {
			return outcome.Row{
				Project: "one", Minute: minute, Protocol: "sentry", Outcome: outcome.ClientDropped, Reason: "before_send",
				Category: "error", Events: n, Source: uuid.UUID{source},
			}
		}
		table := tableAt(t, store)
		for _, rows := range [][]outcome.Row{
			{count(1, 3), count(2, 10)}, {count(1, 5)}, {count(1, 4)}, {count(2, 10)}, {count(1, 5), count(2, 9)},
		} {
			require.NoError(t, table.InsertOutcomes(t.Context(), rows))
		}
		for range 2 {
			d.Asks("SELECT project_id, protocol, outcome, reason, category, sum(events) FROM outcomes GROUP BY ALL ORDER BY ALL",
				"one\tnative\taccepted\t\t\t2\none\tsentry\tclient_dropped\tbefore_send\terror\t15\ntwo\tnative\taccepted\t\t\t1")
			d.Ask("SYSTEM START MERGES events_raw")
			d.Ask("SYSTEM START MERGES outcomes_raw")
			d.Ask("OPTIMIZE TABLE outcomes_raw FINAL")
			d.Ask("OPTIMIZE TABLE events_raw FINAL")
		}
		d.Asks("SELECT count(), sum(events) FROM outcomes_raw", "2\t15")
		d.Asks("SELECT sum(events) FROM outcomes WHERE outcome = 'accepted' AND minute > now() - INTERVAL 1 HOUR AND project_id = 'one'", "2")
		// A question about a project reads that project's rows only.
		plan := d.Ask("EXPLAIN indexes = 1 SELECT sum(events) FROM outcomes WHERE project_id = 'one'")
		assert.Equal(t, 2, strings.Count(plan, "(project_id in ["), plan)
	})
}

// The minutes of counts may be anything that a DateTime holds, all in one block.
func TestOutcomesOfAllYears(t *testing.T) {
	d := clickhousetest.Migrated(t)
	d.Ask("ALTER TABLE outcomes_raw REMOVE TTL")
	var rows []outcome.Row
	for at := time.Unix(0, 0).UTC(); at.Year() < 2106; at = at.AddDate(0, 1, 0) {
		rows = append(rows, outcome.Row{
			Minute: outcome.MinuteOf(at), Protocol: outcome.Native, Outcome: outcome.Rejected, Reason: "empty", Events: 1,
			Source: uuid.UUID{1},
		})
	}
	require.NoError(t, tableAt(t, storeOf(d)).InsertOutcomes(t.Context(), rows))
	d.Asks("SELECT sum(events), uniqExact(minute) FROM outcomes", "1632\t1632")
}
