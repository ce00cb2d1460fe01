package grants

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Roles show their projects, several roles together all of theirs, and the role analyst alone nothing. Everybody else
// sees all rows.
func TestWhoSeesWhat(t *testing.T) {
	needEngine(t)
	for name, want := range map[string]string{
		"ann": shop, "both": bank + "\n" + shop, "every": bank + "\n" + shop, "nobody": "", "default": bank + "\n" + shop,
	} {
		for _, table := range []string{"events_raw", "events", "issues", "events_per_minute", "outcomes", "outcomes_raw"} {
			body, code := ask(name, "SELECT DISTINCT toString(project_id) AS p FROM "+table+" WHERE p != '"+ingested+"' ORDER BY p")
			assert.Empty(t, code, body)
			assert.Equal(t, want, body, "%s of %s", table, name)
		}
	}
	for _, table := range []string{"events_raw", "outcomes_raw"} {
		body, _ := ask("sluice", "SELECT uniqExactIf(project_id, project_id != '"+ingested+"') FROM "+table)
		assert.Equal(t, "2", body, "the consumer sees all rows")
	}
	body, code := ask("sluice", "SELECT count() FROM events")
	assert.Equal(t, denied, code, body)
}

// A limit is reached at the limit, and may be lowered and not be raised.
func TestLimits(t *testing.T) {
	needEngine(t)
	limits := 0
	for _, e := range access.elements() {
		if e.max == "" {
			continue
		}
		limits++
		var most int
		_, err := fmt.Sscan(e.max, &most)
		require.NoError(t, err)
		for value, want := range map[int]string{0: constrained, 1: "", most - 1: "", most: "", most + 1: constrained} {
			_, code := ask("ann", "SET "+e.setting+fmt.Sprint(" = ", value), "session_id=limits")
			assert.Equal(t, want, code, "%s = %d", e.setting, value)
		}
	}
	assert.Equal(t, 6, limits)
	for _, tc := range []struct{ setting, question, code string }{
		{"max_result_rows", "SELECT number FROM numbers(%d) FORMAT Null", tooMuch},
		{"max_rows_to_read", "SELECT count() FROM numbers(%d) WHERE NOT ignore(number)", "158"},
	} {
		for n, want := range map[int]string{999: "", 1000: "", 1001: tc.code} {
			body, code := ask("ann", fmt.Sprintf(tc.question, n), tc.setting+"=1000")
			assert.Equal(t, want, code, "%s: %d: %s", tc.setting, n, body)
		}
	}
	_, code := ask("ann", "SELECT count() FROM events WHERE level >= 'critical'")
	assert.Equal(t, "691", code, "a level that is none")
	body, code := ask("ann", "SELECT count() > 0 FROM events WHERE level >= 'error'")
	assert.Equal(t, "1", body, code)
	body, _ = ask("default", "SELECT max_queries, max_errors, queries > 1 FROM system.quotas_usage WHERE quota_key = 'ann'")
	assert.Equal(t, "50000\t5000\t1", body, "each user has a quota")
}

// What clients send with each query is allowed: Grafana and whatever uses clickhouse-go with a deadline, JDBC,
// clickhouse-connect, and the parameters of docs/queries.
func TestClients(t *testing.T) {
	needEngine(t)
	for client, params := range map[string][]string{
		"grafana":            {"max_execution_time=65"},
		"clickhouse-go":      {"max_execution_time=125", "max_block_size=1000", "session_timezone=Europe/Berlin"},
		"jdbc":               {"max_result_rows=200", "result_overflow_mode=break", "session_timezone=UTC", "date_time_input_format=best_effort"},
		"clickhouse-connect": {"send_progress_in_http_headers=1", "http_headers_progress_interval_ms=120000", "wait_end_of_query=1", "cancel_http_readonly_queries_on_client_close=1", "date_time_input_format=best_effort"},
		"metabase":           {"select_sequential_consistency=1", "log_comment=metabase"},
		"docs":               {"optimize_skip_unused_shards=1", "param_project=shop"},
	} {
		body, code := ask("ann", "SELECT count() FROM events", params...)
		assert.Equal(t, "10000", body, "%s %s", client, code)
	}
}

// The twenty questions of analysts have the same answers under the role as without any policy.
func TestQuestionsOfAnAnalyst(t *testing.T) {
	needEngine(t)
	files, err := filepath.Glob("../../docs/queries/*.sql")
	require.NoError(t, err)
	require.Len(t, files, 20)
	parameter := regexp.MustCompile(`\{(\w+):(\w+)`)
	values := map[string]string{
		"project": shop, "start": "2026-11-01 00:00:00", "end": "2026-11-02 00:00:00", "hour": "2026-11-01 12:00:00", "text": "hello 1", "user": "3", "issue": "0000000000000000",
		"release": "", "before": "", "after": "", "number": "a", "path": "a", "event": "00000000-0000-7000-8000-000000000003", "trace": "",
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		params := []string{"default_format=TSV"}
		for _, m := range parameter.FindAllStringSubmatch(string(text), -1) {
			value, ok := values[m[1]]
			if !ok {
				value = map[bool]string{true: "1", false: ""}[strings.Contains(m[2], "Int") || strings.Contains(m[2], "Float")]
			}
			if p := "param_" + m[1] + "=" + strings.ReplaceAll(value, " ", "+"); !slices.Contains(params, p) {
				params = append(params, p)
			}
		}
		want, code := ask("default", string(text), params...)
		require.Empty(t, code, "%s: %s", file, want)
		got, code := ask("ann", string(text), params...)
		require.Empty(t, code, "%s: %s", file, got)
		if strings.Contains(file, "20-") { // of all projects
			assert.NotContains(t, got, bank)
			continue
		}
		assert.Equal(t, want, got, file)
	}
}

// Every table function is refused, or known not to show rows that a policy hides.
func TestTableFunctions(t *testing.T) {
	needEngine(t)
	harmless := []string{
		"numbers", "numbers_mt", "zeros", "zeros_mt", "primes", "generate_series", "generateSeries", "generateRandom", "values", "SQLStandardValues", "null",
		"view", "viewIfPermitted", "merge", "input", "fuzzJSON", "fuzzQuery", // of these, view, viewIfPermitted and merge are among the attempts
	}
	names, code := ask("default", "SELECT name FROM system.table_functions WHERE allow_readonly ORDER BY name")
	require.Empty(t, code)
	for name := range strings.SplitSeq(names, "\n") {
		switch {
		case slices.Contains(harmless, name) || slices.Contains(hiddenFunctions, name):
		case name == "eval", name == "cluster", name == "clusterAllReplicas": // off by default; needs a right of its own, see the attempts
		default:
			t.Errorf("the function %s needs no right: may an analyst use it?", name)
		}
	}
}

// No system table that the analyst may read has anything of the other project, and what may be read is known.
func TestSystemTables(t *testing.T) {
	needEngine(t)
	names, code := ask("default", "SELECT concat(database, '.', name) FROM system.tables WHERE database IN ('system', 'information_schema') ORDER BY 1")
	require.Empty(t, code)
	read := 0
	for name := range strings.SplitSeq(names, "\n") {
		body, code := ask("ann", "SELECT * FROM "+name+" LIMIT 100000 FORMAT JSONEachRow SETTINGS max_execution_time = 20")
		for _, mark := range marks {
			assert.NotContains(t, body, mark, name)
		}
		if code == "" {
			read++
		}
	}
	assert.Greater(t, read, 10)
	for _, table := range []string{
		"query_log", "query_thread_log", "part_log", "text_log", "trace_log", "processes", "parts", "parts_columns", "detached_parts", "errors", "merges", "mutations", "asynchronous_inserts",
		"query_cache", "query_condition_cache", "row_policies", "users", "roles", "grants", "role_grants", "quotas_usage", "settings_profiles", "clusters", "macros", "disks", "named_collections",
		"dictionaries_x", "replicas", "view_refreshes", "backups", "session_log", "crash_log", "events", "metrics", "server_settings", "zookeeper",
	} {
		_, code := ask("ann", "SELECT * FROM system."+table)
		assert.Contains(t, []string{denied, "60"}, code, table)
	}
}
