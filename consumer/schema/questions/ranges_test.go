package questions

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
)

// TestResendsOutsideOfTheRange inserts events and, in another part, resends of them that were received a day later and
// whose corrected timestamp is two hours later. An index on either time drops the first copies from a question about the
// later time. The resends must not appear in their place. Three events of the second part come once.
func TestResendsOutsideOfTheRange(t *testing.T) {
	d := clickhousetest.Migrated(t)
	d.Ask("SYSTEM STOP MERGES events_raw")
	insert := func(numbers string, timestamp, received int) {
		d.Ask(fmt.Sprintf(`INSERT INTO events_raw (project_id, event_id, id_time, timestamp, received_at, level, message)
			SELECT 'shop', reinterpretAsUUID(sipHash128(number)),
				toDateTime('2026-11-02 10:00:00', 'UTC') + toUInt32(number %% 60) AS id_time,
				id_time + %[2]d, id_time + %[3]d, 'error', toString(%[2]d) FROM %[1]s`, numbers, timestamp, received))
	}
	insert("numbers(1000)", 0, 5)
	insert("(SELECT number FROM numbers(500) UNION ALL SELECT number FROM numbers(5000, 3))", 7200, 86400)
	require.Equal(t, "1503\t1003", d.Ask("SELECT (SELECT count() FROM events_raw), (SELECT count() FROM events)"))

	later := "timestamp >= toDateTime('2026-11-02 12:00:00', 'UTC') AND timestamp < toDateTime('2026-11-02 13:00:00', 'UTC')"
	nextDay := "received_at >= toDateTime('2026-11-03 00:00:00', 'UTC')"
	for question, want := range map[string]string{
		"SELECT count() FROM events WHERE " + later:                                                          "3",
		"SELECT count() FROM events WHERE project_id = 'shop' AND " + later:                                  "3",
		"SELECT uniqExact(message) FROM events WHERE " + later:                                               "1",
		"SELECT count() FROM (SELECT * FROM events ORDER BY timestamp DESC LIMIT 50)":                        "50",
		"SELECT count() FROM (SELECT timestamp FROM events ORDER BY timestamp DESC LIMIT 50) WHERE " + later: "3",
		"SELECT count() FROM events WHERE " + nextDay:                                                        "3",
		"SELECT sum(events) FROM outcomes WHERE minute >= '2026-11-03 00:00:00'":                             "3",
		"SELECT sum(events) FROM outcomes WHERE minute < '2026-11-03 00:00:00'":                              "1000",
		"SELECT sum(events) FROM events_per_minute WHERE minute >= '2026-11-02 12:00:00'":                    "3",
		"SELECT sum(events) FROM issues WHERE last_seen >= '2026-11-02 12:00:00'":                            "1003",
	} {
		d.Asks(question, want)
		d.Asks(question+" SETTINGS use_skip_indexes_if_final_exact_mode = 0", want) // of a user's profile
	}
	usesIndex(t, d, "timestamp_range", "SELECT count() FROM events WHERE "+later)
	usesIndex(t, d, "received_range", "SELECT sum(events) FROM outcomes WHERE minute >= '2026-11-03 00:00:00'")
}

// usesIndex reads the plan of a question.
func usesIndex(t *testing.T, d *clickhousetest.Database, index, question string) {
	t.Helper()
	require.Contains(t, d.Ask("EXPLAIN indexes = 1 "+question), "Name: "+index)
}
