package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// uncommented are the tables, views and columns without a comment.
func uncommented(d *clickhousetest.Database) string {
	d.T.Helper()
	return d.Ask("SELECT name FROM system.tables WHERE database = currentDatabase() AND comment = '' ORDER BY name") +
		d.Ask("SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = '' ORDER BY table, position")
}

// Everything that an analyst sees in a client says what it is. A column of the view says the same as the table's.
func TestEverythingHasAComment(t *testing.T) {
	for name, make := range map[string]func(*clickhousetest.Database){
		"plain": func(d *clickhousetest.Database) { d.Migrate() },
		"cluster": func(d *clickhousetest.Database) {
			d.AskServer("CREATE DATABASE " + d.Name)
			for _, statement := range clickhousetest.ClusterTables(d.Name) {
				d.Ask(statement)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := clickhousetest.New(t)
			make(d)
			require.Empty(t, uncommented(d))
			d.Asks("SELECT count() FROM (SELECT name, uniqExact(comment) AS texts FROM system.columns WHERE database = currentDatabase() AND "+
				"table IN ('events', 'events_raw', 'events_local') GROUP BY name HAVING texts > 1)", "0")
		})
	}
}

// A schema of a version without comments gets them. A comment that somebody wrote stays.
func TestCommentsAreAdded(t *testing.T) {
	d := clickhousetest.Migrated(t)
	putRows(t, storeOf(d), rowstest.Plain(1))
	was := "CREATE OR REPLACE VIEW issues AS " + d.Ask("SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = 'issues' FORMAT TSVRaw")
	d.Ask(was)
	d.Ask("ALTER TABLE events_raw COMMENT COLUMN message '', COMMENT COLUMN payload 'ours; it''s', MODIFY COMMENT ''")
	d.Ask("ALTER TABLE events MODIFY COMMENT 'our view'")
	said, err := status(t, storeOf(d))
	require.ErrorIs(t, err, ErrPending)
	require.Equal(t, 2, strings.Count(said, "missing "), said)
	said = apply(t, storeOf(d))
	require.Contains(t, said, "wrote comments of events_raw\n")
	require.Contains(t, said, "wrote comments of issues\n")
	require.Empty(t, uncommented(d))
	d.Asks("SELECT comment FROM system.columns WHERE database = currentDatabase() AND table = 'events_raw' AND name = 'payload'", "ours; it\\'s")
	d.Asks("SELECT comment FROM system.tables WHERE database = currentDatabase() AND name = 'events'", "our view")
	require.Equal(t, upToDate, apply(t, storeOf(d)))
	d.Asks("SELECT count() FROM events", "1")
}
