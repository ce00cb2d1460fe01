package consumer

import (
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/internal/settings"
)

// storeAt is a DSN's store, which keeps events for 90 days.
func storeAt(dsn string) Store {
	return Store{ClickHouse: ClickHouseConfig{DSN: dsn}, Retention: new(settings.Duration(90 * 24 * time.Hour))}
}

// storeOf is the store of a test's database.
func storeOf(d *clickhousetest.Database) Store { return storeAt(d.Native()) }

// tableAt is the table of a store, until the test ends.
func tableAt(t testing.TB, store Store) clickhouseTable {
	t.Helper()
	table := newTable(store.ClickHouse, nil)
	t.Cleanup(table.close)
	return table
}

// putRows inserts records as one block.
func putRows(t testing.TB, store Store, records ...rowRecord) {
	t.Helper()
	if err := tableAt(t, store).insert(t.Context(), rowBlock(t, records...), ""); err != nil {
		t.Fatal(err)
	}
}
