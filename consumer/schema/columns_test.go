package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/columns/column"
	"sluice/consumer/rows/rowstest"
)

// The columns that analysts rely on, with their types. A change here is a change for every analyst.
func TestColumns(t *testing.T) {
	d := clickhousetest.Migrated(t)
	const text = "LowCardinality(String)"
	shared := [][2]string{
		{"project_id", text}, {"event_id", "UUID"}, {"timestamp", "DateTime64(3, 'UTC')"}, {"client_timestamp", "DateTime64(3, 'UTC')"},
		{"timestamp_adjusted", "Bool"}, {"received_at", "DateTime64(3, 'UTC')"}, {"inserted_at", "DateTime64(3, 'UTC')"},
		{"level", "Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5)"}, {"message", "String"},
		{"fingerprint", "UInt64"}, {"issue_id", "String"}, {"exception_type", text}, {"exception_value", "String"},
		{"environment", text}, {"release", text}, {"platform", text}, {"server_name", text}, {"transaction", text}, {"trace_id", "String"},
		{"user_id", "String"}, {"user_email", "String"}, {"sdk_name", text}, {"sdk_version", text},
		{"tags", "Map(LowCardinality(String), String)"}, {"payload", "String"}, {"_topic", text}, {"_partition", "Int32"}, {"_offset", "Int64"},
	}
	columns := func(table string, skip ...string) string {
		where := ""
		for _, s := range skip {
			where += " AND name != '" + s + "'"
		}
		return d.Ask("SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = '" + table + "'" + where + " ORDER BY position FORMAT TSVRaw")
	}
	lines := func(columns [][2]string) string {
		var all []string
		for _, c := range columns {
			all = append(all, c[0]+"\t"+c[1])
		}
		return strings.Join(all, "\n")
	}
	if got := columns("events"); got != lines(shared) {
		t.Errorf("events has the columns\n%s\nwant\n%s", got, lines(shared))
	}
	// The table behind the view has the same columns, those that identify an event, and the payload's format.
	if got := columns("events_raw", "id_time", "_ver", "format"); got != lines(shared) {
		t.Errorf("events_raw has the columns\n%s\nwant\n%s", got, lines(shared))
	}
	if got := columns("issues"); got != lines([][2]string{
		{"project_id", text}, {"fingerprint", "UInt64"}, {"issue_id", "String"}, {"first_seen", "DateTime64(3, 'UTC')"}, {"last_seen", "DateTime64(3, 'UTC')"},
		{"events", "UInt64"}, {"users", "UInt64"}, shared[7], {"message", "String"},
	}) {
		t.Errorf("issues has the columns\n%s", got)
	}
	if got := columns("events_per_minute"); got != lines([][2]string{
		{"project_id", text}, {"minute", "DateTime('UTC')"}, {"environment", text}, shared[7], {"events", "UInt64"},
	}) && got != lines([][2]string{
		{"project_id", text}, {"minute", "DateTime64(3, 'UTC')"}, {"environment", text}, shared[7], {"events", "UInt64"},
	}) {
		t.Errorf("events_per_minute has the columns\n%s", got)
	}
	if got := columns("outcomes"); got != lines([][2]string{
		{"project_id", text}, {"minute", "DateTime('UTC')"}, {"protocol", text}, {"outcome", text}, {"reason", text}, {"events", "UInt64"}, {"category", text},
	}) {
		t.Errorf("outcomes has the columns\n%s", got)
	}
}

// No custom column can have the name of a column of Sluice's, in this version or a later one: the names of today and
// some of the fields of an event are reserved, and so is the prefix that a later name has.
func TestNamesAreReserved(t *testing.T) {
	d := clickhousetest.Migrated(t)
	names := d.Ask("SELECT DISTINCT name FROM system.columns WHERE database = currentDatabase() " +
		"AND table IN ('events', 'events_raw', 'issues', 'events_per_minute', 'outcomes') ORDER BY name")
	for name := range strings.SplitSeq(names, "\n") {
		require.True(t, column.Reserved(name),
			"%s might be a custom column already: call it _%[1]s or sluice_%[1]s", name)
	}
}

// One block may have rows of 130 days and one without a time. They go into 128 table partitions, which are more than
// ClickHouse allows by default. Absurd times of clients must not stop a Kafka partition. Rows of one table partition
// have one place for the consumer, which splits large blocks by place: in a table of an earlier version too.
func TestManyTablePartitions(t *testing.T) {
	for _, over := range []string{"native", "http", "by month"} {
		t.Run(over, func(t *testing.T) {
			t.Parallel() // it waits for the disk: 128 parts are made durable
			d := clickhousetest.Migrated(t)
			if over == "by month" {
				byMonth(d)
			}
			var records []rowstest.Record
			at := time.Date(2019, 12, 31, 0, 0, 0, 0, time.UTC) // too early to count
			for step := range 131 {
				n := len(records)
				records = append(records, rowstest.From(int64(n), "demo", rowstest.ID(uint64(n)), rowstest.Noon, fmt.Sprintf(`{"message":"m","timestamp":%q}`, at.Format(time.RFC3339)))) // small
				at = at.AddDate(0, 0, 1+step%2*127)                                                                                                                                       // the next day, or another with its number
			}
			store := storeOf(d)
			if over == "http" {
				store = storeAt(d.HTTP())
			}
			putRows(t, store, records...)
			d.Asks("SELECT count() FROM events", fmt.Sprint(len(records)))
			months, err := tableAt(t, store).ByMonth(t.Context())
			require.NoError(t, err)
			require.Equal(t, over == "by month", months)
			places := rowstest.Block(t, records...).TablePartitions(months)
			of := map[string]int32{}
			for row, partition := range strings.Split(d.Ask("SELECT _partition_id FROM events_raw ORDER BY _offset"), "\n") {
				if place, ok := of[partition]; ok {
					require.Equal(t, place, places[row], "partition %s", partition)
				}
				of[partition] = places[row]
			}
			seen := map[int32]bool{}
			for _, place := range of {
				seen[place] = true
			}
			require.Len(t, seen, len(of), "two partitions have one place")
		})
	}
}

// byMonth makes events_raw as earlier versions made it.
func byMonth(d *clickhousetest.Database) {
	d.T.Helper()
	now := d.Ask("SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'events_raw' FORMAT TSVRaw")
	const day = "toRelativeDayNum(id_time) % 128"
	require.Equal(d.T, 2, strings.Count(now, day), now)
	was := strings.Replace(now, "PARTITION BY "+day, "PARTITION BY toYYYYMM(id_time)", 1)
	was = strings.Replace(was, day, "toYYYYMM(id_time)", 1)
	d.Ask("DROP TABLE events_raw SYNC")
	d.Ask(was)
}

// A table of an earlier version is kept as it is, and is no difference.
func TestEarlierKeysStay(t *testing.T) {
	d := clickhousetest.Migrated(t)
	byMonth(d)
	putRows(t, storeOf(d), rowstest.Plain(1))
	said, err := status(t, storeOf(d))
	require.NoError(t, err, said)
	require.Contains(t, said, "there    partition key of events_raw: by month")
	require.Equal(t, upToDate, apply(t, storeOf(d)))
	d.Asks("SELECT count() FROM events", "1")
	d.Asks("SELECT partition_key FROM system.tables WHERE database = currentDatabase() AND name = 'events_raw'", "toYYYYMM(id_time)")
}
