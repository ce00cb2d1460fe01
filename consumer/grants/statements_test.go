package grants

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
)

// ClickHouse parses every statement, and refuses it only because the embedded engine keeps no roles that SQL makes.
func TestStatementsParse(t *testing.T) {
	needEngine(t)
	s := newStorage(t)
	seconds := access
	statements := s.applied(seconds, single)
	seconds.MaxQueries, seconds.MaxMemory = new(uint64(7)), new(uint64(1<<30))
	seconds.Analysts = []string{"shop=other"}
	statements = append(statements, s.applied(seconds, single)...)
	s.run("ALTER SETTINGS PROFILE sluice_analyst TO ingest")
	s.run("ALTER QUOTA sluice_analyst KEYED BY user_name TO ingest")
	statements = append(statements, s.applied(Config{Replace: true}, single)...)
	require.Greater(t, len(statements), 40)
	for _, statement := range statements {
		body, code := ask("default", statement)
		switch code {
		case "495", "514": // the storage is read only, or there is none
		case "523": // ALTER of a policy that the engine could not make
			assert.Contains(t, statement, "ALTER ROW POLICY")
		default:
			t.Errorf("%s\n%s", statement, body)
		}
	}
	cluster := place{database: "sluice", cluster: "two"}
	statements = newStorage(t).applied(access, cluster)
	for _, statement := range append(statements, // and those of the documentation
		"DROP ROW POLICY analyst_mobile ON sluice.events_raw, sluice.outcomes_raw",
		"ALTER SETTINGS PROFILE sluice_analyst ADD SETTING max_threads CHANGEABLE_IN_READONLY",
		"ALTER TABLE sluice.events ON CLUSTER 'two' MODIFY SQL SECURITY INVOKER",
	) {
		body, code := ask("default", "SELECT formatQuerySingleLine("+clickhouse.Quote(statement)+")")
		assert.Empty(t, code, body)
	}
}

// The inventory reads from ClickHouse what the storage of the tests has, as far as users.xml can say it.
func TestInventory(t *testing.T) {
	needEngine(t)
	for _, cluster := range []string{"", "two"} {
		p := place{database: "sluice", cluster: cluster}
		m := NewManager(access, reach("default"), &bytes.Buffer{})
		m.clickhouse.Cluster = cluster
		opts, err := m.clickhouse.Options()
		require.NoError(t, err)
		db := clickhouse.OpenDB(opts, "default")
		defer db.Close()
		p.settings, err = p.readSettings(t.Context(), db, access)
		require.NoError(t, err)
		for _, e := range access.elements() {
			_, known := p.known(e.setting)
			assert.True(t, known, "this version has no setting %s", e.setting)
		}
		have, err := p.readInventory(t.Context(), db)
		require.NoError(t, err)
		require.Equal(t, 1, have.servers, "twice the same server, which ClickHouse asks once")
		want := granted(t).inventory(p, 1)
		for key, things := range want.things {
			kind, _, _ := strings.Cut(key, " ")
			switch kind {
			case "policy":
			case "profile", "quota":
				assert.Equal(t, 1, have.on(key), key)
			default:
				assert.Equal(t, things, have.things[key], key)
			}
		}
		for _, view := range []string{"events", "issues", "events_per_minute", "outcomes"} {
			assert.Equal(t, map[string]int{"INVOKER": 1}, have.things["view "+view])
		}
		filter := plainCondition("(0 OR project_id IN ('" + shop + "')) ")
		assert.Equal(t, map[string]int{"PERMISSIVE " + plainCondition("(project_id IN ('"+shop+"') OR 0)") + " TO ann": 1},
			have.things["policy sluice.events_raw ann"], filter)
	}
}

// What cannot be done is said in one sentence, with what to do.
func TestErrors(t *testing.T) {
	needEngine(t)
	var out bytes.Buffer
	c := access
	c.Analysts = append(c.Analysts, "more=more")
	err := NewManager(c, reach("default"), &out).Apply(t.Context())
	require.ErrorContains(t, err, "user_directories")
	assert.NotContains(t, err.Error(), "\n")
	err = NewManager(access, reach("sluice"), &out).Apply(t.Context())
	require.ErrorContains(t, err, "manage access")
	assert.NotContains(t, err.Error(), "\n")
	err = NewManager(access, clickhouse.Config{DSN: "clickhouse://u:hunter2@127.0.0.1:1/sluice"}, &out).Apply(t.Context())
	require.ErrorContains(t, err, "--clickhouse-dsn")
	assert.NotContains(t, err.Error(), "hunter2")
	assert.Empty(t, out.String())

	require.ErrorIs(t, NewManager(access, reach("default"), &out).Status(t.Context()), ErrPending)
	assert.Contains(t, out.String(), "missing  row policy analyst_shop of events_raw")
	out.Reset()
	require.NoError(t, NewManager(access, clickhouse.Config{DSN: "clickhouse://127.0.0.1:1/other"}, &out).DryRun(t.Context(), false))
	s := newStorage(t)
	for statement := range strings.SplitSeq(out.String(), ";\n") {
		if statement = strings.TrimSpace(statement); statement != "" {
			s.run(statement)
		}
	}
	assert.Equal(t, newStorageOf(t, "other").inventory(single, 1), s.inventory(single, 1), "a dry run prints what is run")

	on := reach("every")
	on.Cluster = "two"
	require.Error(t, NewManager(access, on, &out).Apply(t.Context()), "analysts cannot ask other servers")
}

// On a cluster the policies of the tables on its servers hold through a Distributed table, whether or not the servers
// have a secret: a server applies the policies of the user who asked first.
func TestPoliciesOnACluster(t *testing.T) {
	needEngine(t)
	for _, table := range []string{"spread", "spread_secret"} {
		remotely := func(question string) (body, code string) {
			return ask("spread", strings.ReplaceAll(question, "{}", table), "prefer_localhost_replica=0")
		}
		plan, _ := remotely("EXPLAIN SELECT count() FROM {}")
		require.Contains(t, plan, "ReadFromRemote")
		for question, want := range map[string]string{
			"SELECT count() FROM {}": "20000", "SELECT count() FROM {} FINAL": "10000", "SELECT DISTINCT project_id FROM {}": shop,
			"SELECT count() FROM {} WHERE message != toFixedString('abc', 3) AND throwIf(project_id != 'shop') = 0": "20000",
		} {
			body, code := remotely(question)
			require.Equal(t, want, body, "%s: %s", question, code)
		}
	}
}

// newStorageOf is a storage with the access of the tests to another database.
func newStorageOf(t *testing.T, database string) *storage {
	s := newStorage(t)
	s.applied(access, place{database: database})
	return s
}

// Every setting has its bounds.
func TestConfig(t *testing.T) {
	for text, want := range map[string]string{
		"": "not NAME=PROJECT", "shop": "not NAME=PROJECT", "shop=": "not NAME=PROJECT", "shop=,": "not NAME=PROJECT",
		"Shop=shop": "1 to 48", "my-shop=shop": "1 to 48", "=shop": "1 to 48", strings.Repeat("a", 49) + "=shop": "1 to 48",
		"shop=Shop": "not the id of a project", "shop=a b": "not the id", "shop=" + strings.Repeat("a", 65): "not the id",
		"shop=*,a": "leave the others out", "shop=a'": "not the id",
	} {
		require.ErrorContains(t, Config{Analysts: []string{text}}.Check(true), want, text)
	}
	require.ErrorContains(t, Config{Analysts: []string{"a=a", "a=b"}}.Check(true), "twice")
	for _, text := range []string{"shop=shop", "shop = " + "a", strings.Repeat("a", 48) + "=" + strings.Repeat("a", 64), "all=*", " a=b, c ,b "} {
		if text == "shop = a" {
			require.Error(t, Config{Analysts: []string{text}}.Check(true))
			continue
		}
		require.NoError(t, Config{Analysts: []string{text}}.Check(true), text)
	}
	sets, err := parseSets([]string{"a=b, c ,b", "all=*"})
	require.NoError(t, err)
	require.Equal(t, []set{{"a", []string{"b", "c"}}, {"all", nil}}, sets)
	require.ErrorContains(t, Config{Analysts: []string{"a=a"}}.Check(false), "need --grants")
	require.NoError(t, Config{}.Check(false))
}
