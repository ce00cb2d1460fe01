package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
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

// One block may have a row of every possible month and one without a time, which are more table partitions than
// ClickHouse allows by default. Absurd times of clients must not stop a partition.
func TestManyTablePartitions(t *testing.T) {
	for _, over := range []string{"native", "http"} {
		t.Run(over, func(t *testing.T) {
			t.Parallel() // it waits for the disk: 241 parts are made durable
			d := clickhousetest.Migrated(t)
			var records []rowstest.Record
			for month := time.Date(2019, 12, 1, 0, 0, 0, 0, time.UTC); month.Year() < 2041; month = month.AddDate(0, 1, 0) {
				n := len(records)
				records = append(records, rowstest.From(int64(n), "demo", rowstest.ID(uint64(n)), rowstest.Noon, fmt.Sprintf(`{"message":"m","timestamp":%q}`, month.Format(time.RFC3339))))
			}
			store := storeOf(d)
			if over == "http" {
				store = storeAt(d.HTTP())
			}
			putRows(t, store, records...)
			d.Asks("SELECT count(), uniqExact(_partition_id) FROM events_raw", fmt.Sprintf("%d\t241", len(records)))
			d.Asks("SELECT count() FROM events", fmt.Sprint(len(records)))
		})
	}
}
