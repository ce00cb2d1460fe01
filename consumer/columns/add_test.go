package columns

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/columns/column"
	"sluice/consumer/schema"
)

const (
	pro  = `{"message":"m","contexts":{"account":{"plan":"pro","seats":5}}}`
	free = `{"message":"m","contexts":{"account":{"plan":"free","seats":1}}}`
)

// A column answers in the view for old rows and new ones, before the backfill and after it, and keeps doing so through
// migrations. After its removal nothing is left of it.
func TestLifeOfAColumn(t *testing.T) {
	t.Parallel()
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		d.Migrate()
		put(t, dsn, 0, pro, free, pro)
		put(t, dsn, 2, pro) // a resend
		d.Asks("SELECT count() FROM events", "3")
		m, out := manager(dsn, false)
		require.NoError(t, m.List(t.Context()))
		require.Equal(t, "no custom columns\n", out.String())

		plan := columnOf(t, "plan", "LowCardinality(String)", "contexts.account.plan")
		m, out = manager(dsn, false)
		require.NoError(t, m.Add(t.Context(), plan, AddOptions{NoBackfill: true}))
		require.Equal(t, "added the column plan LowCardinality(String) from contexts.account.plan to events\n"+
			"4 of 4 events that were looked at have a value there\n", out.String())
		const question = "SELECT plan, count() FROM events GROUP BY plan ORDER BY plan"
		d.Asks(question, "free\t1\npro\t2")
		d.Asks("SELECT count() FROM events WHERE plan = 'pro'", "2")
		d.Asks("SELECT count() FROM events_raw WHERE plan = 'pro'", "3")
		stored := listed(t, dsn)
		require.Equal(t, []Listed{{Name: "plan", Type: "LowCardinality(String)", Path: "contexts.account.plan", Parts: stored[0].Parts}}, stored)
		put(t, dsn, 10, pro)
		d.Asks(question, "free\t1\npro\t3")
		require.Equal(t, upToDate, migrate(t, dsn, schema.Permissions{ReplaceViews: true}))

		m, out = manager(dsn, false)
		require.NoError(t, m.Backfill(t.Context(), "plan"))
		require.Contains(t, out.String(), "backfilled ")
		d.Asks(question, "free\t1\npro\t3")
		stored = listed(t, dsn)
		require.Equal(t, stored[0].Parts, stored[0].Stored)
		m, out = manager(dsn, false)
		require.NoError(t, m.Backfill(t.Context(), "plan"))
		require.Equal(t, "no part lacks the column: there is nothing to backfill\n", out.String())
		d.Ask("OPTIMIZE TABLE events_raw FINAL")
		d.Asks(question, "free\t1\npro\t3")
		require.Equal(t, upToDate, migrate(t, dsn, schema.Permissions{ReplaceViews: true}))
		d.Asks("SELECT DISTINCT comment FROM system.columns WHERE database = currentDatabase() AND name = 'plan'", "custom column: contexts.account.plan of the payload")

		m, out = manager(dsn, true)
		require.NoError(t, m.Remove(t.Context(), "plan", false))
		require.Equal(t, `{"removed":"plan"}`+"\n", out.String())
		d.Asks("SELECT count() FROM system.columns WHERE database = currentDatabase() AND name = 'plan'", "0")
		d.Asks("SELECT count() FROM events", "4")
		require.Equal(t, upToDate, migrate(t, dsn, schema.Permissions{}))
		m, _ = manager(dsn, false)
		require.ErrorContains(t, m.Remove(t.Context(), "plan", false), `there is no custom column "plan", nor any other`)
	})
}

// The statements of a dry run are those that are run, and a dry run changes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	put(t, d.Native(), 0, pro)
	const definitions = "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase() ORDER BY name"
	before := d.Ask(definitions)
	said := add(t, d, "plan", "String", "contexts.account.plan", AddOptions{DryRun: true})
	for _, want := range []string{"ALTER TABLE events_raw ADD COLUMN IF NOT EXISTS `plan` String MATERIALIZED", "CREATE OR REPLACE VIEW events\n", "-- 1 of 1 parts lack the column", "MATERIALIZE COLUMN `plan` IN PARTITION ID '"} {
		require.Contains(t, said, want)
	}
	require.NotContains(t, add(t, d, "plan", "String", "contexts.account.plan", AddOptions{DryRun: true, NoBackfill: true}), "MATERIALIZE COLUMN")
	require.Equal(t, before, d.Ask(definitions))
	var statements []string
	for one := range strings.SplitSeq(said, ";\n") {
		lines := strings.TrimSpace(one)
		if _, after, ok := strings.Cut(lines, "partitions:\n"); ok {
			lines = after
		}
		if lines != "" {
			statements = append(statements, lines)
		}
	}
	for _, one := range statements {
		d.Ask(one)
	}
	require.Contains(t, add(t, d, "plan", "String", "contexts.account.plan", AddOptions{}), "the column plan is there already")
	d.Asks("SELECT plan FROM events", "pro")

	before = d.Ask(definitions)
	m, out := manager(d.Native(), false)
	require.NoError(t, m.Remove(t.Context(), "plan", true))
	require.Contains(t, out.String(), "CREATE OR REPLACE VIEW events\n")
	require.Contains(t, out.String(), "ALTER TABLE events_raw DROP COLUMN IF EXISTS `plan`;")
	require.Equal(t, before, d.Ask(definitions))
}

// What cannot be is said in one sentence, and changes nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	add(t, d, "plan", "String", "a", AddOptions{})
	d.Ask("ALTER TABLE events_raw ADD COLUMN theirs String")
	for name, c := range map[string]struct {
		column [3]string
		why    string
	}{
		"another type":  {[3]string{"plan", "Int64", "a"}, "a column plan String from a already: `consumer columns remove plan`"},
		"another path":  {[3]string{"plan", "String", "b"}, "a column plan String from a already"},
		"another case":  {[3]string{"PLAN", "String", "a"}, "a column plan String from a already"},
		"a user's":      {[3]string{"theirs", "String", "a"}, "events_raw has a column theirs that this command did not make"},
		"a user's case": {[3]string{"Theirs", "String", "a"}, "events_raw has a column theirs"},
	} {
		for _, dry := range []bool{true, false} {
			m, out := manager(d.Native(), false)
			err := m.Add(t.Context(), columnOf(t, c.column[0], c.column[1], c.column[2]), AddOptions{DryRun: dry})
			require.ErrorContains(t, err, c.why, name)
			require.Empty(t, out.String())
		}
	}
	m, _ := manager(d.Native(), false)
	require.ErrorContains(t, m.Remove(t.Context(), "plann", false), `there is no custom column "plann"; there are: plan`)
	require.ErrorContains(t, m.Remove(t.Context(), "theirs", false), "theirs is not a custom column")
	require.ErrorContains(t, m.Remove(t.Context(), "message", true), "message is not a custom column")
	require.ErrorContains(t, m.Backfill(t.Context(), "message"), "message is not a custom column")
	require.Len(t, listed(t, d.Native()), 1)

	d.Ask("CREATE OR REPLACE VIEW events AS SELECT 1 AS one")
	require.ErrorContains(t, m.Add(t.Context(), columnOf(t, "other", "String", "a"), AddOptions{}), "the view events has another query")
	d.Asks("SELECT count() FROM system.columns WHERE database = currentDatabase() AND name = 'other'", "0")
	d.Ask("DROP VIEW events")
	require.ErrorIs(t, m.Add(t.Context(), columnOf(t, "other", "String", "a"), AddOptions{}), schema.ErrNoSchema)

	none, _ := manager(clickhousetest.New(t).Native(), false)
	require.ErrorIs(t, none.Add(t.Context(), columnOf(t, "plan", "String", "a"), AddOptions{}), schema.ErrNoSchema)
	require.ErrorIs(t, none.List(t.Context()), schema.ErrNoSchema)
	require.ErrorIs(t, none.Remove(t.Context(), "plan", false), schema.ErrNoSchema)
}

// A user without the rights is told so, and that it takes another user.
func TestRights(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	put(t, d.Native(), 0, pro)
	add(t, d, "plan", "String", "a", AddOptions{})
	m, _ := manager(d.OfUser("readonly")["native"], false)
	require.NoError(t, m.List(t.Context()))
	for _, err := range []error{
		m.Add(t.Context(), columnOf(t, "seats", "Int64", "a"), AddOptions{}),
		m.Remove(t.Context(), "plan", false),
	} {
		require.ErrorContains(t, err, "readonly")
		require.ErrorContains(t, err, "use a user that may change the schema")
	}
	d.Asks("SELECT count() FROM events WHERE plan = ''", "1")
	require.Len(t, listed(t, d.Native()), 1)
}

// The most columns fit, and one more does not.
func TestMostColumns(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	put(t, d.Native(), 0, pro)
	for n := range column.MaxColumns {
		add(t, d, fmt.Sprintf("c%02d", n), "String", "contexts.account.plan", AddOptions{NoBackfill: true})
		if n == 0 {
			put(t, d.Native(), 1, pro)
		}
	}
	m, _ := manager(d.Native(), false)
	require.ErrorContains(t, m.Add(t.Context(), columnOf(t, "more", "String", "a"), AddOptions{}), "there are 32 custom columns, at most 32")
	put(t, d.Native(), 2, pro)
	d.Asks("SELECT c00, c31, count() FROM events GROUP BY ALL", "pro\tpro\t3")
	require.Len(t, listed(t, d.Native()), column.MaxColumns)
	remove(t, d, "c07")
	add(t, d, "more", "String", "contexts.account.plan", AddOptions{NoBackfill: true})
	require.Equal(t, upToDate, migrate(t, d.Native(), schema.Permissions{}))
	d.Asks("SELECT more, c31, count() FROM events GROUP BY ALL", "pro\tpro\t3")
}
