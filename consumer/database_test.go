package consumer

import (
	"log/slog"
	"testing"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/erased"
	"sluice/consumer/rows"
	"sluice/consumer/schema"
	"sluice/internal/recordbatch"
	"sluice/internal/settings"
)

// database is a database of one test.
type database struct {
	*clickhousetest.Database
	t    testing.TB
	name string
}

func databaseOf(d *clickhousetest.Database) *database { return &database{d, d.T, d.Name} }

// newDatabase names a database on the engine that nothing else uses. It does not create it.
func newDatabase(t *testing.T) *database {
	t.Helper()
	return databaseOf(clickhousetest.New(t))
}

// migrated is a database with the schema.
func migrated(t *testing.T) *database {
	t.Helper()
	return databaseOf(clickhousetest.Migrated(t))
}

func (d *database) native() schema.Config { return d.store(d.Native()) }
func (d *database) http() schema.Config   { return d.store(d.HTTP()) }

func (d *database) store(dsn string) schema.Config {
	return schema.Config{ClickHouse: clickhouse.Config{DSN: dsn}, Retention: new(settings.Duration(90 * 24 * time.Hour))}
}

// table is the table of a store, until the test ends.
func tableOf(t testing.TB, store schema.Config) closingTable {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	table, _ := erased.Around(clickhouse.New(store.ClickHouse, log), log)
	t.Cleanup(table.Close)
	return table
}

func (d *database) askServer(statement string)  { d.t.Helper(); d.AskServer(statement) }
func (d *database) ask(statement string) string { d.t.Helper(); return d.Ask(statement) }
func (d *database) asks(question, want string)  { d.t.Helper(); d.Asks(question, want) }

// insert writes records as one block, the way a partition does.
func (d *database) insert(store schema.Config, records ...recordbatch.Record) {
	d.t.Helper()
	if err := insertInto(d.t, store, blockOf(d.t, records...)); err != nil {
		d.t.Fatal(err)
	}
}

func insertInto(t testing.TB, store schema.Config, b *rows.Block) error {
	t.Helper()
	return tableOf(t, store).Insert(t.Context(), "", b)
}
