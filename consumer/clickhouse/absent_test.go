package clickhouse

import (
	"testing"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// Rows are the same in a block that leaves columns out and in a block that has these columns.
func TestRowsOfAbsentColumns(t *testing.T) {
	const bare = `{"message":"m"}`
	const full = `{"message":"m","exception":{"type":"T","value":"v"},"environment":"e","release":"r","platform":"p","server_name":"s","transaction":"t",` +
		`"trace_id":"i","user":{"id":"u","email":"m"},"sdk":{"name":"n","version":"1"},"tags":{"a":"b"}}`
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		d.Migrate()
		if err := sendTo(t, reach(dsn), rowstest.Block(t, rowstest.From(1, "demo", rowstest.ID(1), rowstest.Noon, bare))); err != nil {
			t.Fatal(err)
		}
		if err := sendTo(t, reach(dsn), rowstest.Block(t, rowstest.From(2, "demo", rowstest.ID(2), rowstest.Noon, bare), rowstest.From(3, "demo", rowstest.ID(3), rowstest.Noon, full))); err != nil {
			t.Fatal(err)
		}
		d.Asks("SELECT count(), uniqExact(tuple(* EXCEPT (event_id, inserted_at, _offset))) FROM events_raw WHERE _offset < 3", "2\t1")
		d.Asks("SELECT count() FROM events_raw WHERE _offset = 1 AND environment = '' AND transaction = '' AND user_id = '' AND tags = map()", "1")
		d.Asks("SELECT environment, trace_id, tags FROM events_raw WHERE _offset = 3", "e\ti\t{'a':'b'}")
		// The table fills the columns with the same values only as long as they have no default of their own.
		d.Asks("SELECT groupArray(name) FROM system.columns WHERE database = currentDatabase() AND table = 'events_raw' AND default_kind = 'DEFAULT'", "['inserted_at']")
	})
}
