package schema

import (
	"testing"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
	"sluice/internal/settings"
)

// storeAt is the configuration with a DSN. Events are kept for 90 days.
func storeAt(dsn string) Config {
	return Config{ClickHouse: clickhouse.Config{DSN: dsn}, Retention: new(settings.Duration(90 * 24 * time.Hour))}
}

// storeOf is the configuration for a test's database.
func storeOf(d *clickhousetest.Database) Config { return storeAt(d.Native()) }

// tableAt is the table of a configuration, until the test ends.
func tableAt(t testing.TB, store Config) *clickhouse.Table {
	t.Helper()
	table := clickhouse.New(store.ClickHouse, nil)
	t.Cleanup(table.Close)
	return table
}

// putRows inserts records as one block.
func putRows(t testing.TB, store Config, records ...rowstest.Record) {
	t.Helper()
	if err := tableAt(t, store).Insert(t.Context(), "", rowstest.Block(t, records...)); err != nil {
		t.Fatal(err)
	}
}
