package columns

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/columns/column"
	"sluice/consumer/rows/rowstest"
	"sluice/consumer/schema"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }

// manager is a manager of a test's database, and what it prints.
func manager(dsn string, json bool) (*Manager, *bytes.Buffer) {
	var out bytes.Buffer
	m := New(clickhouse.Config{DSN: dsn}, &out, &out, json)
	m.poll, m.quiet = time.Millisecond, 0
	return m, &out
}

func columnOf(t *testing.T, name, ofType, path string) column.Column {
	t.Helper()
	c, err := column.New(name, ofType, path)
	require.NoError(t, err)
	return c
}

// add adds a column and returns what is printed.
func add(t *testing.T, d *clickhousetest.Database, name, ofType, path string, how AddOptions) string {
	t.Helper()
	m, out := manager(d.Native(), false)
	require.NoError(t, m.Add(t.Context(), columnOf(t, name, ofType, path), how))
	return out.String()
}

func remove(t *testing.T, d *clickhousetest.Database, name string) {
	t.Helper()
	m, _ := manager(d.Native(), false)
	require.NoError(t, m.Remove(t.Context(), name, false))
}

// listed are the columns that List prints as JSON.
func listed(t *testing.T, dsn string) []Listed {
	t.Helper()
	m, out := manager(dsn, true)
	require.NoError(t, m.List(t.Context()))
	var all []Listed
	for line := range strings.Lines(out.String()) {
		var one Listed
		require.NoError(t, json.Unmarshal([]byte(line), &one))
		all = append(all, one)
	}
	return all
}

// put inserts events, one block, from an offset on.
func put(t *testing.T, dsn string, first int, events ...string) {
	t.Helper()
	var records []rowstest.Record
	for i, text := range events {
		n := first + i
		records = append(records, rowstest.From(int64(n), "demo", rowstest.ID(uint64(n)), time.Now(), text))
	}
	table := clickhouse.New(clickhouse.Config{DSN: dsn}, nil)
	defer table.Close()
	require.NoError(t, table.Insert(t.Context(), "", rowstest.Block(t, records...)))
}

// migrate migrates a database and returns what is printed.
func migrate(t *testing.T, dsn string, may schema.Permissions) string {
	t.Helper()
	var out bytes.Buffer
	m := schema.NewMigrator(schema.Config{ClickHouse: clickhouse.Config{DSN: dsn}}, &out)
	m.May = may
	require.NoError(t, m.Apply(t.Context()))
	return out.String()
}

const upToDate = "schema is up to date\n"
