package columns

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/schema"
)

// Columns that users appended to the view stay, in their place, whatever comes and goes beside them.
func TestUsersViewColumnsStay(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	put(t, d.Native(), 0, pro)
	query := d.Ask("SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = 'events' FORMAT TSVRaw")
	d.Ask("CREATE OR REPLACE VIEW events AS " + strings.Replace(query, " FROM ", ", upper(message) AS loud, 1 AS one FROM ", 1))
	add(t, d, "plan", "String", "contexts.account.plan", AddOptions{})
	add(t, d, "seats", "Int64", "contexts.account.seats", AddOptions{})
	d.Asks("SELECT loud, one, plan, seats FROM events", "M\t1\tpro\t5")
	require.Equal(t, upToDate, migrate(t, d.Native(), schema.Permissions{ReplaceViews: true}))
	remove(t, d, "plan")
	d.Asks("SELECT loud, one, seats FROM events", "M\t1\t5")
	require.Equal(t, upToDate, migrate(t, d.Native(), schema.Permissions{}))
}

// A migration restores what is missing of a custom column, and asks for nothing: the column of the view after a crash
// between two statements, and the view with its custom columns after somebody replaced or dropped it.
func TestMigrateKeepsColumns(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	put(t, d.Native(), 0, pro)
	before := d.Ask("SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = 'events' FORMAT TSVRaw")
	before = strings.Replace(before, "CREATE VIEW", "CREATE OR REPLACE VIEW", 1)
	add(t, d, "plan", "String", "contexts.account.plan", AddOptions{})
	add(t, d, "seats", "Int64", "contexts.account.seats", AddOptions{})
	for _, damage := range []string{before, "DROP VIEW events", "CREATE OR REPLACE VIEW events AS SELECT 1 AS one"} {
		d.Ask(damage)
		may := schema.Permissions{ReplaceViews: strings.HasSuffix(damage, "one")}
		require.Contains(t, migrate(t, d.Native(), may), upToDate)
		d.Asks("SELECT plan, seats, message FROM events", "pro\t5\tm")
		require.Equal(t, upToDate, migrate(t, d.Native(), schema.Permissions{}))
	}
	// Half removed, and half added: the command can be run again.
	d.Ask("ALTER TABLE events_raw DROP COLUMN seats")
	m, _ := manager(d.Native(), false)
	require.ErrorContains(t, m.Remove(t.Context(), "seats", false), "there are: plan")
	d.Ask(before)
	remove(t, d, "plan")
	d.Asks("SELECT count() FROM system.columns WHERE database = currentDatabase() AND name IN ('plan', 'seats')", "0")
	d.Asks("SELECT count() FROM events", "1")
}

// Two columns that are added at once are both in the view after the next migration, at the latest.
func TestColumnsAtOnce(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	put(t, d.Native(), 0, pro)
	var all sync.WaitGroup
	errs := make([]error, 2)
	for i, name := range []string{"plan", "again"} {
		c := columnOf(t, name, "String", "contexts.account.plan")
		all.Go(func() {
			m, _ := manager(d.Native(), false)
			errs[i] = m.Add(t.Context(), c, AddOptions{})
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	migrate(t, d.Native(), schema.Permissions{})
	d.Asks("SELECT plan, again FROM events", "pro\tpro")
}

// On a cluster a column is on the local tables, on the Distributed table, and in the view; the statements are for all
// servers. A server that joined gets it by a migration. The engine has neither Keeper nor peers, so the proxy removes
// what needs them.
func TestCluster(t *testing.T) {
	t.Parallel()
	d := clickhousetest.New(t)
	for _, shard := range []string{"two_a", "two_b"} { // both shards are this engine: a Distributed table has each row twice
		d.AskServer("CREATE DATABASE " + shard)
	}
	w := clickhousetest.NewProxy(t)
	var mu sync.Mutex
	var sent []string
	w.Rewrite = func(body string) string {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, body)
		return clickhousetest.Unreplicated(body)
	}
	statements := func() (out []string) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range sent {
			if !strings.HasPrefix(s, "SELECT") {
				require.Contains(t, s, " ON CLUSTER 'two'")
				first, _, _ := strings.Cut(s, "`plan`")
				first, _, _ = strings.Cut(first, "\n")
				first, _, _ = strings.Cut(first, " WHERE")
				out = append(out, strings.TrimSpace(strings.ReplaceAll(first, d.Name+".", "")))
			}
		}
		sent = nil
		return out
	}
	cfg := clickhouse.Config{DSN: "http://" + w.Addr + "/" + d.Name, Cluster: "two"}
	apply := func() string {
		var out strings.Builder
		require.NoError(t, schema.NewMigrator(schema.Config{ClickHouse: cfg}, &out).Apply(t.Context()))
		return out.String()
	}
	apply()
	d.Ask("INSERT INTO events_local (project_id, event_id, id_time, received_at, payload) VALUES ('demo', generateUUIDv4(), now(), now(), '" + pro + "')")
	statements()
	m, out := manager("", false)
	m.cfg = cfg
	require.NoError(t, m.Add(t.Context(), columnOf(t, "plan", "String", "contexts.account.plan"), AddOptions{}))
	require.Equal(t, []string{
		"ALTER TABLE events_local ON CLUSTER 'two' ADD COLUMN IF NOT EXISTS", "ALTER TABLE events_raw ON CLUSTER 'two' ADD COLUMN IF NOT EXISTS",
		"CREATE OR REPLACE VIEW events ON CLUSTER 'two'", "ALTER TABLE events_local ON CLUSTER 'two' MATERIALIZE COLUMN",
	}, statements())
	d.Asks("SELECT DISTINCT plan FROM events", "pro")
	d.Asks("SELECT DISTINCT plan FROM events_raw", "pro")
	require.Equal(t, upToDate, apply())
	out.Reset()
	require.NoError(t, m.List(t.Context()))
	require.Regexp(t, `plan +String +contexts.account.plan +1 of 1 parts`, out.String())

	d.Ask("DROP VIEW events")
	d.Ask("DROP TABLE events_raw SYNC")
	require.Contains(t, apply(), "made table events_raw\n")
	d.Asks("SELECT DISTINCT plan FROM events", "pro")
	require.Equal(t, upToDate, apply())

	statements()
	require.NoError(t, m.Remove(t.Context(), "plan", false))
	require.Equal(t, []string{
		"CREATE OR REPLACE VIEW events ON CLUSTER 'two'", "ALTER TABLE events_raw ON CLUSTER 'two' DROP COLUMN IF EXISTS",
		"ALTER TABLE events_local ON CLUSTER 'two' DROP COLUMN IF EXISTS",
	}, statements())
	d.Asks("SELECT count() FROM system.columns WHERE database = currentDatabase() AND name = 'plan'", "0")
	require.Equal(t, upToDate, apply())
}
