package grants

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// compared compares what a storage has with the settings.
func (s *storage) compared(c Config, p place) *comparison {
	s.t.Helper()
	require.NoError(s.t, c.Check(true))
	named, err := parseSets(c.Analysts)
	require.NoError(s.t, err)
	inv := s.inventory(p, 1)
	out := &comparison{place: p, inventory: inv, replace: c.Replace}
	out.compare(p.all(c, inv.allSets(named)))
	return out
}

// applied runs what the settings ask for, and returns the statements. A second run has nothing to do.
func (s *storage) applied(c Config, p place) (statements []string) {
	s.t.Helper()
	for _, one := range s.compared(c, p).steps {
		s.run(one.statement)
		statements = append(statements, one.statement)
	}
	again := s.compared(c, p)
	require.Empty(s.t, again.steps, "a second run")
	require.Empty(s.t, again.with(stateMissing, statePending))
	return statements
}

var single = place{database: "sluice"}

// A second run changes nothing. A changed setting changes only that. A role that is not named stays.
func TestRepeated(t *testing.T) {
	s := newStorage(t)
	first := s.applied(Config{Analysts: []string{"shop=shop,checkout"}}, single)
	assert.Greater(t, len(first), 20)

	assert.Equal(t, []string{
		"CREATE ROLE IF NOT EXISTS analyst_bank",
		"CREATE ROW POLICY IF NOT EXISTS analyst_bank ON sluice.events_raw USING project_id IN ('bank') AS PERMISSIVE TO analyst_bank",
		"CREATE ROW POLICY IF NOT EXISTS analyst_bank ON sluice.outcomes_raw USING project_id IN ('bank') AS PERMISSIVE TO analyst_bank",
		"GRANT analyst TO analyst_bank",
	}, s.applied(Config{Analysts: []string{"bank=bank"}}, single), "one more role is one command")

	assert.Equal(t, []string{
		"ALTER ROW POLICY analyst_shop ON sluice.events_raw USING project_id IN ('shop') AS PERMISSIVE TO analyst_shop",
		"ALTER ROW POLICY analyst_shop ON sluice.outcomes_raw USING project_id IN ('shop') AS PERMISSIVE TO analyst_shop",
	}, s.applied(Config{Analysts: []string{"shop=shop"}}, single))

	day := settings.Duration(24 * time.Hour)
	assert.Equal(t, []string{
		"ALTER SETTINGS PROFILE sluice_analyst MODIFY SETTING max_execution_time = 86400 MIN 1 MAX 86405 CHANGEABLE_IN_READONLY",
	}, s.applied(Config{MaxTime: &day}, single))
	assert.Equal(t, []string{
		"ALTER SETTINGS PROFILE sluice_analyst MODIFY SETTING max_rows_to_read = 7 MIN 1 MAX 7 CHANGEABLE_IN_READONLY",
		"ALTER QUOTA sluice_analyst FOR INTERVAL 1 hour MAX queries = 9",
	}, s.applied(Config{MaxRowsRead: new(uint64(7)), MaxQueries: new(uint64(9))}, single))
	assert.Empty(t, s.applied(Config{}, single), "limits that are not given stay")
	assert.Empty(t, s.applied(Config{Analysts: []string{"bank=bank", "shop=shop"}}, single))
}

// Whoever has no role of analysts sees all rows: the consumer, the user of the migration, the console's reader.
func TestOthersSeeAllRows(t *testing.T) {
	s := newStorage(t)
	s.applied(Config{Analysts: []string{"shop=shop", "all=*"}}, single)
	for _, roles := range [][]string{nil, {"ingest"}} {
		filters := s.filters(user{roles: roles})
		require.Len(t, filters, 2+len(hiddenFunctions))
		for table, filter := range filters {
			assert.Equal(t, "(1)", filter, table)
		}
	}
	assert.Equal(t, "(project_id IN ('shop') OR 0)", s.filters(user{roles: []string{"analyst_shop"}})["sluice.events_raw"])
	assert.Equal(t, "(0)", s.filters(user{roles: []string{"analyst"}})["sluice.outcomes_raw"])
}

// A run that is interrupted after any of its statements is continued by running it again, and at no point can an
// analyst read a table that has no policy, or the consumer a table whose only policies are those of analysts.
func TestInterrupted(t *testing.T) {
	c := Config{Analysts: []string{"shop=shop", "all=*"}}
	whole := newStorage(t)
	statements := whole.applied(c, single)
	for n := range statements {
		s := newStorage(t)
		for _, statement := range statements[:n] {
			s.run(statement)
		}
		for _, table := range []string{"events_raw", "outcomes_raw"} {
			_, others := s.policies["sluice."+table+" "+othersPolicy]
			for key := range s.policies {
				require.True(t, others || !strings.HasPrefix(key, "sluice."+table+" "), "%d: %s", n, key)
			}
			if slices.Contains(s.rights["analyst"], "SELECT sluice."+table) {
				require.Contains(t, s.filters(user{roles: []string{"analyst"}}), "sluice."+table)
			}
		}
		s.applied(c, single)
		require.Equal(t, whole.inventory(single, 1), s.inventory(single, 1), n)
	}
}

// What was changed by hand is reported and left alone, unless it may be changed back.
func TestChangedByHand(t *testing.T) {
	c := Config{Analysts: []string{"shop=shop"}}
	whole := newStorage(t)
	whole.applied(c, single)
	for change, want := range map[string]struct {
		what string
		harm bool
	}{
		"ALTER ROW POLICY sluice_none ON sluice.events_raw USING 1 AS PERMISSIVE TO analyst":              {"row policy sluice_none of events_raw", true},
		"ALTER ROW POLICY sluice_others ON sluice.events_raw USING 1 AS PERMISSIVE TO ingest":             {"row policy sluice_others of events_raw", true},
		"ALTER ROW POLICY sluice_none ON _table_function.mergeTreeIndex USING 0 AS RESTRICTIVE TO ingest": {"row policy sluice_none of mergeTreeIndex", true},
		"ALTER SETTINGS PROFILE sluice_analyst MODIFY SETTING readonly = 2 CONST":                         {"setting readonly of profile sluice_analyst", true},
		"ALTER SETTINGS PROFILE sluice_analyst TO ingest":                                                 {"profile sluice_analyst", true},
		"ALTER QUOTA sluice_analyst KEYED BY user_name TO ingest":                                         {"quota sluice_analyst", false},
		"ALTER SETTINGS PROFILE sluice_analyst MODIFY SETTING log_comment = 1 CONST":                      {"setting log_comment of profile sluice_analyst", false},
	} {
		s := newStorage(t)
		s.applied(c, single)
		s.run(change)
		left := s.compared(Config{}, single)
		assert.Empty(t, left.steps, change)
		require.Len(t, left.with(stateDiffers), 1, change)
		assert.Equal(t, want.what, left.with(stateDiffers)[0].what)
		if err := left.remains(); want.harm {
			assert.ErrorIs(t, err, ErrLeft, change)
		} else {
			assert.NoError(t, err, change)
		}
		assert.Len(t, s.applied(Config{Replace: true}, single), 1, change)
		assert.Equal(t, whole.inventory(single, 1), s.inventory(single, 1), change)
	}

	s := newStorage(t)
	s.applied(c, single)
	s.run("ALTER SETTINGS PROFILE sluice_analyst MODIFY SETTING max_memory_usage = 1 MIN 1 MAX 2 CHANGEABLE_IN_READONLY")
	s.run("ALTER SETTINGS PROFILE sluice_analyst MODIFY SETTING max_threads = 1 CONST")
	s.run("ALTER QUOTA sluice_analyst FOR INTERVAL 1 hour MAX errors = 1")
	assert.Empty(t, s.applied(c, single), "operators tune limits and add settings")
	assert.NoError(t, s.compared(c, single).remains())
}

// More rights of the roles, and other policies on the tables, are reported: with an error if they may show more to
// analysts.
func TestBesides(t *testing.T) {
	base := func() *storage {
		s := newStorage(t)
		s.applied(Config{Analysts: []string{"shop=shop"}}, single)
		return s
	}
	for right, harm := range map[string]bool{
		"SELECT wiki.pages": false, "SELECT system.query_log": true, "SELECT *.*": true, "SELECT sluice.*": true, "SELECT wiki.*": true,
		"INSERT wiki.pages": true, "KILL QUERY *.*": true, "SELECT sluice.private": true,
	} {
		for role, harm := range map[string]bool{"analyst": harm, "analyst_shop": harm, "ingest": false} {
			s := base()
			s.rights[role] = append(s.rights[role], right)
			c := s.compared(Config{Replace: true}, single)
			assert.Empty(t, c.steps, "what somebody added stays")
			require.Len(t, c.with(stateDiffers), 1, right)
			assert.Equal(t, harm, c.with(stateDiffers)[0].harm, "%s of %s", right, role)
		}
	}
	for _, tc := range []struct {
		on   string
		is   policyEntry
		harm bool
	}{
		{"sluice.events_raw mine", policyEntry{"PERMISSIVE", "1", "ALL"}, true},
		{"sluice.events_raw mine", policyEntry{"PERMISSIVE", "1", "ALL EXCEPT bob"}, true},
		{"sluice.events_raw mine", policyEntry{"PERMISSIVE", "1", "ALL EXCEPT analyst, bob"}, false},
		{"sluice.events_raw mine", policyEntry{"PERMISSIVE", "1", "analyst_shop"}, true},
		{"sluice.events_raw mine", policyEntry{"PERMISSIVE", "1", "analyst, bob"}, true},
		{"sluice.events_raw mine", policyEntry{"PERMISSIVE", "1", "bob"}, false},
		{"sluice.events_raw mine", policyEntry{"RESTRICTIVE", "0", "ALL"}, false},
	} {
		s := base()
		s.policies[tc.on] = tc.is
		c := s.compared(Config{}, single)
		require.Len(t, c.with(stateDiffers), 1)
		assert.Equal(t, tc.harm, c.with(stateDiffers)[0].harm, "%v", tc.is)
	}
	s := base()
	s.policies["sluice.mine all"], s.policies["other.events_raw all"] = policyEntry{"PERMISSIVE", "1", "ALL"}, policyEntry{"PERMISSIVE", "1", "ALL"}
	assert.Empty(t, s.compared(Config{}, single).with(stateDiffers), "other tables are not ours")
}

// Several databases on one ClickHouse have roles of their own.
func TestPrefix(t *testing.T) {
	s := newStorage(t)
	s.applied(Config{Analysts: []string{"shop=shop"}}, single)
	staging := place{database: "staging", prefix: "staging_"}
	before := s.compared(Config{}, single)
	for _, statement := range s.applied(Config{Analysts: []string{"shop=shop,test"}, RolePrefix: "staging_"}, staging) {
		assert.Contains(t, statement, "staging_")
	}
	after := s.compared(Config{}, single)
	assert.Empty(t, after.steps)
	assert.Equal(t, before.findings, after.findings)
	for function := range s.filters(user{}) {
		if table, ok := strings.CutPrefix(function, functionDatabase+"."); ok {
			for _, role := range []string{"analyst", "staging_analyst_shop"} {
				assert.Contains(t, s.filters(user{roles: []string{role}})[function], "0 AND", "%s of %s", table, role)
			}
		}
	}
}

// On a cluster every statement is for all servers, the tables on the servers have policies, and a server that lacks
// something gets it.
func TestCluster(t *testing.T) {
	c, p := Config{Analysts: []string{"shop=shop"}}, place{database: "sluice", cluster: "prod"}
	s := newStorage(t)
	for _, statement := range s.applied(c, p) {
		assert.Contains(t, statement, " ON CLUSTER 'prod'")
	}
	for _, table := range []string{"events_local", "events_raw", "outcomes_local", "outcomes_raw"} {
		assert.Contains(t, s.filters(user{roles: []string{"analyst_shop"}}), "sluice."+table)
	}
	assert.ElementsMatch(t, []string{
		"INSERT sluice.events_local", "SELECT sluice.events_local", "SELECT sluice.events_raw", "INSERT sluice.outcomes_local",
		"SELECT sluice.outcomes_local", "SELECT sluice.outcomes_raw", "SELECT sluice.erasures",
		"SELECT system.clusters",
	}, s.rights["ingest"])

	inv := s.inventory(p, 3)
	inv.things["role analyst"][""] = 2
	inv.things["setting sluice_analyst readonly"] = map[string]int{"1   CONST": 2, "2   CONST": 1}
	odd := &comparison{place: p, inventory: inv}
	odd.compare(p.all(c, inv.allSets(nil)))
	require.Len(t, odd.steps, 1)
	assert.Equal(t, "CREATE ROLE IF NOT EXISTS analyst ON CLUSTER 'prod'", odd.steps[0].statement)
	assert.Equal(t, "missing  role analyst: on 1 of 3 servers", odd.with(stateMissing)[0].String())
	require.Len(t, odd.with(stateDiffers), 1)
	assert.Contains(t, odd.with(stateDiffers)[0].String(), "readonly")
}
