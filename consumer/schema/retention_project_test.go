package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/retention"
	"sluice/consumer/rows/rowstest"
	"sluice/internal/settings"
)

// retentions are settings of the retention; empty ones are not given.
func retentions(d *clickhousetest.Database, all, projects, outcomes string) Config {
	store := storeOf(d)
	store.ProjectRetention = projects
	given := func(text string) *settings.Duration {
		if text == "" {
			return nil
		}
		parsed, err := settings.ParseDuration(text)
		require.NoError(d.T, err)
		return new(settings.Duration(parsed))
	}
	store.Retention, store.OutcomesRetention = given(all), given(outcomes)
	return store
}

// projectRows inserts a row of each project for each number of days since its receipt.
func projectRows(d *clickhousetest.Database, projects []string, days ...int) {
	d.T.Helper()
	var records []rowstest.Record
	for _, project := range projects {
		for _, n := range days {
			i := len(records)
			records = append(records, rowstest.From(int64(i), project, rowstest.ID(uint64(i)), time.Now().AddDate(0, 0, -n), `{"message":"m"}`)) // small
		}
	}
	putRows(d.T, storeOf(d), records...)
}

const rowsByProject = "SELECT project_id, count() FROM events GROUP BY project_id ORDER BY project_id"

// Projects keep their rows for times of their own. What is not given stays, a project that is left out falls back, and
// whatever is shorter for any project takes permission.
func TestRetentionOfProjects(t *testing.T) {
	t.Parallel()
	d := clickhousetest.New(t)
	apply(t, retentions(d, "365d", "", ""))
	projectRows(d, []string{"demo", "other", "shop"}, 0, 5, 20, 60, 200)
	kept := func(want string) {
		t.Helper()
		d.Ask("OPTIMIZE TABLE events_raw FINAL")
		d.Asks(rowsByProject, strings.ReplaceAll(want, " ", "\t"))
	}
	steps := []struct {
		name, all, projects string
		refused, said       string // empty: it is not shorter
		ttl                 retention.Policy
		kept                string
	}{
		{"shorter for one", "", "demo=7d", "--project-retention: 365d, demo 7d (now: 365d) would remove 3 rows (about ", "(before: 365d); this removes 3 rows",
			retention.Policy{All: 365 * day, Projects: map[string]time.Duration{"demo": 7 * day}}, "demo 2\nother 5\nshop 5"},
		{"longer for it, shorter for another", "", "demo=30d,shop=30d", "would remove 2 rows", "events are kept for 365d, demo 30d, shop 30d",
			retention.Policy{All: 365 * day, Projects: map[string]time.Duration{"demo": 30 * day, "shop": 30 * day}}, "demo 2\nother 5\nshop 3"},
		{"the others longer", "400d", "", "", "events are kept for 400d, demo 30d, shop 30d",
			retention.Policy{All: 400 * day, Projects: map[string]time.Duration{"demo": 30 * day, "shop": 30 * day}}, "demo 2\nother 5\nshop 3"},
		{"one left out falls back to more", "", "shop=30d", "", "events are kept for 400d, shop 30d",
			retention.Policy{All: 400 * day, Projects: map[string]time.Duration{"shop": 30 * day}}, "demo 2\nother 5\nshop 3"},
		{"longer than the others", "", "shop=30d,other=1000d", "", "events are kept for 400d, other 1000d, shop 30d",
			retention.Policy{All: 400 * day, Projects: map[string]time.Duration{"shop": 30 * day, "other": 1000 * day}}, "demo 2\nother 5\nshop 3"},
		{"the others shorter", "100d", "", "--retention: 100d, other 1000d, shop 30d (now: 400d, other 1000d, shop 30d) would remove 0 rows", "events are kept for 100d",
			retention.Policy{All: 100 * day, Projects: map[string]time.Duration{"shop": 30 * day, "other": 1000 * day}}, "demo 2\nother 5\nshop 3"},
		{"all left out: one falls back to less", "", "none", "--project-retention: 100d (now: 100d, other 1000d, shop 30d) would remove 1 row", "events are kept for 100d after",
			retention.Policy{All: 100 * day}, "demo 2\nother 4\nshop 3"},
	}
	for _, s := range steps {
		store := retentions(d, s.all, s.projects, "")
		before := definitions(d)
		said, err := status(t, store)
		require.ErrorIs(t, err, ErrPending, s.name)
		require.Contains(t, said, "pending  retention of events_raw: "+s.ttl.String()+" is asked for", s.name)
		said, err = left(t, store, Permissions{})
		if s.refused != "" {
			require.ErrorIs(t, err, ErrLeft, s.name)
			require.ErrorContains(t, err, s.refused, s.name)
			require.ErrorContains(t, err, "--shorten-retention", s.name)
			require.Equal(t, before, definitions(d), s.name)
			said, err = left(t, store, Permissions{ShortenRetention: true})
		}
		require.NoError(t, err, s.name)
		require.Contains(t, said, s.said, s.name)
		ttlIs(d, strings.ReplaceAll(s.ttl.TTL(), "'", `\'`))
		kept(s.kept)
		require.Equal(t, upToDate, apply(t, store), s.name)
		require.Equal(t, upToDate, apply(t, retentions(d, "", "", "")), s.name) // what is not given stays
		said, err = status(t, retentions(d, "", "", ""))
		require.NoError(t, err, said)
		require.Contains(t, said, "there    retention of events_raw: "+s.ttl.String()+"\n", s.name)
	}
}

// A new table is made with the times of its projects. Where the table's own TTL is no time after receipt, a time for the
// other projects must be given with them.
func TestRetentionOfProjectsOfANewTable(t *testing.T) {
	t.Parallel()
	d := clickhousetest.New(t)
	apply(t, retentions(d, "", "demo=7d", "20d"))
	ttlIs(d, strings.ReplaceAll(retention.Policy{All: 90 * day, Projects: map[string]time.Duration{"demo": 7 * day}}.TTL(), "'", `\'`))
	d.Asks("SELECT position(engine_full, 'TTL "+outcomesTTL(20*day)+"') > 0 FROM system.tables WHERE database = currentDatabase() AND name = 'outcomes_raw'", "1")
	d.Ask("ALTER TABLE events_raw REMOVE TTL")
	_, err := left(t, retentions(d, "", "demo=7d", ""), Permissions{ShortenRetention: true})
	require.ErrorIs(t, err, ErrLeft)
	require.ErrorContains(t, err, "--project-retention: events_raw keeps rows for ever: give --retention as well")
	_, err = left(t, retentions(d, "50d", "demo=7d", ""), Permissions{ShortenRetention: true})
	require.NoError(t, err)
	many := make([]string, retention.MaxProjects)
	for i := range many {
		many[i] = fmt.Sprintf("project-%d=%dd", i, 7+i)
	}
	_, err = left(t, retentions(d, "", strings.Join(many, ","), ""), Permissions{ShortenRetention: true})
	require.NoError(t, err)
	projectRows(d, []string{"project-0", "project-999", "other"}, 10, 60)
	d.Ask("OPTIMIZE TABLE events_raw FINAL")
	d.Asks(rowsByProject, "other\t1\nproject-999\t2")
	require.Equal(t, upToDate, apply(t, retentions(d, "", strings.Join(many, ","), "")))
}

// Counts are kept for a time of their own if one is given, and with the same guard. Without one they stay as they are,
// or follow the events if they did before.
func TestRetentionOfOutcomes(t *testing.T) {
	t.Parallel()
	d := clickhousetest.New(t)
	apply(t, retentions(d, "90d", "", ""))
	is := func(days time.Duration) {
		t.Helper()
		d.Asks("SELECT extract(engine_full, 'TTL (.*) SETTINGS') FROM system.tables WHERE database = currentDatabase() AND name = 'outcomes_raw'", outcomesTTL(days*day))
	}
	is(90)
	d.Ask("INSERT INTO outcomes_raw SELECT 'demo', now() - toIntervalDay(50 * number), 'native', 'rejected', 'r', '', generateUUIDv4(), 1 FROM numbers(3)")
	require.Contains(t, apply(t, retentions(d, "100d", "", "")), "counts of outcomes are kept for 100d\n") // they follow
	is(100)
	require.Contains(t, apply(t, retentions(d, "", "", "400d")), "counts of outcomes are kept for 400d\n")
	is(400)
	said, err := status(t, retentions(d, "", "", ""))
	require.NoError(t, err)
	require.Contains(t, said, "there    retention of outcomes_raw: 400d\n")
	_, err = left(t, retentions(d, "30d", "demo=7d", ""), Permissions{ShortenRetention: true}) // they do not follow any more
	require.NoError(t, err)
	is(400)
	_, err = left(t, retentions(d, "", "", "30d"), Permissions{})
	require.ErrorIs(t, err, ErrLeft)
	require.ErrorContains(t, err, "--outcomes-retention: 30d (now: 400d) would remove 1 row (about ")
	require.ErrorContains(t, err, "from outcomes_raw at once; add --shorten-retention")
	is(400)
	d.Asks("SELECT count() FROM outcomes_raw", "2") // one was too old at its insert
	said, err = left(t, retentions(d, "", "", "30d"), Permissions{ShortenRetention: true})
	require.NoError(t, err)
	require.Contains(t, said, "counts of outcomes are kept for 30d (before: 400d); this removes 1 row")
	d.Ask("OPTIMIZE TABLE outcomes_raw FINAL")
	d.Asks("SELECT count() FROM outcomes_raw", "1")
	require.Equal(t, upToDate, apply(t, retentions(d, "", "", "30d")))
	_, err = left(t, retentions(d, "10d", "", "20d"), Permissions{}) // both are shorter
	require.ErrorContains(t, err, "--outcomes-retention: 20d")
	require.ErrorContains(t, err, "--retention: 10d")
	require.Equal(t, 2, strings.Count(err.Error(), "--shorten-retention"))
}

// Days 128 apart share a table partition. With a long retention a part has rows of both: only the old ones go.
func TestLongRetentionInSharedPartitions(t *testing.T) {
	t.Parallel()
	d := clickhousetest.New(t)
	apply(t, retentions(d, "1000d", "demo=200d", ""))
	var records []rowstest.Record
	for i, project := range []string{"demo", "other"} {
		for j := range 5 {
			at := time.Now().AddDate(0, 0, -128*j)
			n := uint64(10*i + j) // small
			records = append(records, rowstest.From(int64(n), project, rowstest.IDAt(at, n), at, `{"message":"m"}`))
		}
	}
	putRows(t, storeOf(d), records...)
	d.Ask("OPTIMIZE TABLE events_raw FINAL")
	d.Asks("SELECT uniqExact(_partition_id) FROM events_raw", "1")
	d.Asks(rowsByProject, "demo\t2\nother\t5")
	_, err := left(t, retentions(d, "300d", "", ""), Permissions{ShortenRetention: true})
	require.NoError(t, err)
	d.Ask("OPTIMIZE TABLE events_raw FINAL")
	d.Asks(rowsByProject, "demo\t2\nother\t3")
	d.Asks("SELECT value FROM system.merge_tree_settings WHERE name = 'ttl_only_drop_parts'", "0")
	d.Asks("SELECT count() FROM system.tables WHERE database = currentDatabase() AND engine_full LIKE '%ttl_only_drop_parts%'", "0")
}
