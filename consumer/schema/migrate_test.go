package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// apply migrates and returns the output.
func apply(t *testing.T, store Config) string {
	t.Helper()
	var out bytes.Buffer
	if err := NewMigrator(store, &out).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// upToDate is the output when there is nothing to do.
const upToDate = "schema is up to date\n"

// status returns the output of a status.
func status(t *testing.T, store Config) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = NewMigrator(store, &out).Status(t.Context())
	return out.String(), err
}

// objects are the objects of a migrated database.
var objects = []string{"table events_raw", "view events", "view issues", "view events_per_minute", "table outcomes_raw", "view outcomes", "table erasures"}

// A second migration does nothing and says so. The status tells before from after. Over both protocols.
func TestMigrateTwice(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		store := storeAt(dsn)
		for _, c := range []struct {
			before  string
			missing int
		}{{"SELECT 1", len(objects) + 1}, {"CREATE DATABASE " + d.Name, len(objects)}} { // without the database, and with it
			d.AskServer(c.before)
			if said, err := status(t, store); !errors.Is(err, ErrPending) || strings.Count(said, "missing") != c.missing {
				t.Errorf("%v before, want %d missing:\n%s", err, c.missing, said)
			}
		}
		said := apply(t, store)
		for _, object := range objects {
			if !strings.Contains(said, "made "+object+"\n") {
				t.Errorf("%s is not said to be made:\n%s", object, said)
			}
		}
		if again := apply(t, store); again != upToDate {
			t.Errorf("the second time says:\n%s", again)
		}
		said, err := status(t, store)
		if err != nil || strings.Count(said, "there ") != len(objects)+3 || !strings.Contains(said, "retention of events_raw: 90d\n") {
			t.Errorf("%v after:\n%s", err, said)
		}
		d.Asks("SELECT count() FROM system.tables WHERE database = currentDatabase()", fmt.Sprint(len(objects)))
	})
}

// A file of the schema is one statement that is safe to run again.
func TestOneStatementAFile(t *testing.T) {
	names, err := fs.Glob(files, "*.sql")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		text, err := files.ReadFile(name)
		require.NoError(t, err)
		all, err := variant{}.render(string(text))
		require.NoError(t, err, name)
		require.Len(t, all, 1, name)
		require.Contains(t, all[0], " IF NOT EXISTS ", name)
	}
}

// Retention counts from the receipt: an event with an old timestamp that was received today stays, and an event that
// was received long ago goes.
func TestRetentionCountsFromReceipt(t *testing.T) {
	d := clickhousetest.Migrated(t)
	now := time.Now()
	putRows(t, storeOf(d),
		rowstest.From(0, "demo", rowstest.ID(0), now, `{"message":"old time","timestamp":"2021-01-01T00:00:00Z"}`),
		rowstest.From(1, "demo", rowstest.ID(1), now.AddDate(0, 0, -89), `{"message":"nearly"}`),
		rowstest.From(2, "demo", rowstest.ID(2), now.AddDate(0, 0, -91), `{"message":"over"}`),
	)
	d.Ask("OPTIMIZE TABLE events_raw FINAL")
	d.Asks("SELECT groupArray(_offset) FROM (SELECT _offset FROM events ORDER BY _offset)", "[0,1]")
}
