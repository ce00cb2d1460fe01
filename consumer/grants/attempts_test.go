package grants

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attempt is one attempt of an analyst of shop's to see something of bank's.
type attempt struct {
	what string
	ask  string // statements with ; between them, in one session
	// want is the whole answer to the last statement. Without it the attempt is refused.
	want string
	code string // of the refusal
	// as lacks the guard: for this user the answer to the last statement contains leak, or has it as its code.
	as, leak string
}

// Codes of ClickHouse.
const (
	denied      = "497"
	readOnly    = "164"
	constrained = "452"
	thrown      = "395" // by throwIf
	tooMuch     = "396"
)

// attempts are what was tried. Of the 30,000 events 10,000 are shop's; each is in the table twice.
var attempts = []attempt{
	// Tables and views.
	{what: "count the table", ask: "SELECT count() FROM events_raw", want: "20000", as: "unfiltered", leak: "60000"},
	{what: "count the view", ask: "SELECT count() FROM events", want: "10000", as: "unfiltered", leak: "30000"},
	{what: "projects of the table", ask: "SELECT DISTINCT project_id FROM events_raw", want: shop, as: "unfiltered", leak: bank},
	{what: "projects of events", ask: "SELECT DISTINCT project_id FROM events", want: shop, as: "unfiltered", leak: bank},
	{what: "projects of issues", ask: "SELECT DISTINCT project_id FROM issues", want: shop, as: "unfiltered", leak: bank},
	{what: "projects of minutes", ask: "SELECT DISTINCT project_id FROM events_per_minute", want: shop, as: "unfiltered", leak: bank},
	{what: "projects of outcomes", ask: "SELECT DISTINCT project_id FROM outcomes", want: shop, as: "unfiltered", leak: bank},
	{what: "reasons of counts", ask: "SELECT DISTINCT reason FROM outcomes_raw", want: "unavailable", as: "unfiltered", leak: "qvault_full"},
	{what: "an event by its id", ask: "SELECT count() FROM events WHERE event_id = '00000000-0000-7000-8000-000000000001'", want: "0", as: "unfiltered", leak: "1"},
	{what: "a user by email", ask: "SELECT count() FROM events WHERE user_email = 'mallory@qvault.example'", want: "0", as: "unfiltered", leak: "20000"},
	{what: "resends, merged while read", ask: "SELECT count() FROM events_raw FINAL WHERE project_id != 'shop'", want: "0", as: "unfiltered", leak: "20000"},
	{what: "a sample", ask: "SELECT any(message) LIKE 'hello%', max(user_email), anyLast(project_id) FROM events_raw", want: "1\tann@shop.example\tshop", as: "unfiltered", leak: "mallory@"},
	{what: "smallest and largest key", ask: "SELECT min(project_id), max(project_id), min(event_id), max(_offset) FROM events_raw", want: "shop\tshop\t00000000-0000-7000-8000-000000000000\t0", as: "unfiltered", leak: bank},
	{what: "distinct values of a key", ask: "SELECT uniqExact(project_id), uniq(event_id) > 9000 FROM events_raw", want: "1\t1", as: "unfiltered", leak: "2"},
	{what: "most frequent words", ask: "SELECT topK(3)(user_email) FROM events", want: "['ann@shop.example']", as: "unfiltered", leak: "mallory@"},
	{what: "totals and extremes", ask: "SELECT project_id, count() FROM events GROUP BY project_id WITH TOTALS", want: "shop\t10000\n\n\t10000", as: "unfiltered", leak: bank},
	{what: "parts by virtual columns", ask: "SELECT DISTINCT project_id FROM events_raw WHERE _part != '' AND _part_offset >= 0 AND _partition_id != ''", want: shop, as: "unfiltered", leak: bank},
	{what: "hidden column", ask: "SELECT count() FROM events_raw WHERE _ver > 0 AND id_time > 0", want: "20000", as: "unfiltered", leak: "60000"},
	{what: "join with itself", ask: "SELECT DISTINCT b.project_id FROM events AS a RIGHT JOIN events AS b ON a.level = b.level AND a.user_id = b.user_id", want: shop, as: "unfiltered", leak: bank},
	{what: "anti join", ask: "SELECT count() FROM events_raw AS a LEFT ANTI JOIN events AS b USING (event_id)", want: "0"},
	{what: "subquery in a condition", ask: "SELECT count() FROM events WHERE message IN (SELECT concat('qzebra ', toString(number)) FROM numbers(99))", want: "0", as: "unfiltered", leak: "66"},
	{what: "scalar subquery", ask: "SELECT (SELECT groupUniqArray(project_id) FROM events_raw)", want: "['shop']", as: "unfiltered", leak: bank},
	{what: "common table expression", ask: "WITH e AS (SELECT * FROM events_raw) SELECT DISTINCT project_id FROM e", want: shop, as: "unfiltered", leak: bank},
	{what: "union", ask: "SELECT DISTINCT project_id FROM (SELECT project_id FROM events UNION ALL SELECT project_id FROM events_raw)", want: shop, as: "unfiltered", leak: bank},
	{what: "window", ask: "SELECT DISTINCT first_value(project_id) OVER (ORDER BY timestamp DESC) FROM events", want: shop},
	{what: "whose events were erased", ask: "SELECT count() FROM erasures", code: denied, as: "mighty", leak: "0"},
	{what: "another database", ask: "SELECT * FROM other.secrets", code: denied, as: "mighty", leak: "qzebra"},
	{what: "order and limit", ask: "SELECT project_id, message FROM events_raw ORDER BY timestamp DESC, event_id DESC LIMIT 1", want: "shop\thello 28797", as: "unfiltered", leak: "qzebra"},
	{what: "prewhere", ask: "SELECT count() FROM events_raw PREWHERE project_id = 'bank-9c41'", want: "0", as: "unfiltered", leak: "40000"},

	// What a condition does to a row before the policy hides the row.
	{what: "an exception in WHERE", ask: "SELECT count() FROM events_raw WHERE throwIf(message LIKE 'qzeb%') = 0", want: "20000", as: "unfiltered", leak: thrown},
	{what: "an exception in PREWHERE", ask: "SELECT count() FROM events_raw PREWHERE throwIf(message LIKE 'qzeb%') = 0", want: "20000", as: "unfiltered", leak: thrown},
	{what: "an exception through a view", ask: "SELECT count() FROM events WHERE throwIf(message LIKE 'qzeb%') = 0", want: "10000", as: "unfiltered", leak: thrown},
	{what: "an exception over the key", ask: "SELECT count() FROM events WHERE throwIf(project_id != 'shop') = 0", want: "10000", as: "unfiltered", leak: thrown},
	{what: "an exception behind a cheaper condition", ask: "SELECT count() FROM events WHERE message != toFixedString('abc', 3) AND throwIf(project_id != 'shop') = 0", want: "10000", as: "unfiltered", leak: thrown},
	{what: "an exception in FINAL", ask: "SELECT count() FROM events_raw FINAL PREWHERE throwIf(project_id != 'shop') = 0", want: "10000", as: "unfiltered", leak: thrown},
	{what: "an exception in a join", ask: "SELECT count() FROM events AS a JOIN events_raw AS b USING (event_id) WHERE throwIf(b.user_email LIKE 'mal%') = 0", want: "20000", as: "unfiltered", leak: thrown},
	{what: "an exception in a group", ask: "SELECT count() FROM issues WHERE throwIf(events = 20000) = 0", want: "1", as: "unfiltered", leak: thrown},
	{what: "an exception in a subquery", ask: "SELECT throwIf((SELECT count() FROM events WHERE project_id != 'shop') > 0)", want: "0", as: "unfiltered", leak: thrown},
	{what: "division by zero", ask: "SELECT count() FROM events_raw WHERE intDiv(1, project_id = 'shop') = 1", want: "20000", as: "unfiltered", leak: "153"},
	{what: "a value in the text of an error", ask: "SELECT count() FROM events_raw WHERE toUInt8(substring(message, 1, 1) = 'q' ? message : '1') = 1", want: "20000", as: "unfiltered", leak: "qzebra"},
	{what: "a pattern in the text of an error", ask: "SELECT count() FROM events WHERE match('x', if(message LIKE 'qzeb%', concat('(', message), 'x'))", want: "10000", as: "unfiltered", leak: "qzebra"},
	{what: "a large value", ask: "SELECT sum(length(repeat('x', if(project_id = 'shop', 1, 100000000)))) FROM events", want: "10000", as: "unfiltered", leak: "241"},
	{what: "an exception while sorting", ask: "SELECT message LIKE 'hello%' FROM events ORDER BY throwIf(project_id != 'shop'), event_id LIMIT 1", want: "1", as: "unfiltered", leak: thrown},

	// Table functions.
	{what: "merge()", ask: "SELECT DISTINCT project_id FROM merge('sluice', '^events_raw$')", want: shop, as: "unfiltered", leak: bank},
	{what: "view()", ask: "SELECT DISTINCT project_id FROM view(SELECT * FROM events_raw)", want: shop, as: "unfiltered", leak: bank},
	{what: "viewIfPermitted()", ask: "SELECT DISTINCT project_id FROM viewIfPermitted(SELECT CAST(project_id, 'String') AS project_id FROM sluice.events_raw ELSE null('project_id String'))", want: shop, as: "unfiltered", leak: bank},
	{what: "loop()", ask: "SELECT project_id FROM loop(events_raw) LIMIT 1", code: denied, as: "mighty", leak: "shop"},
	{what: "keys by mergeTreeIndex()", ask: "SELECT project_id, event_id FROM mergeTreeIndex('sluice', 'events_raw')", want: "none", as: "indexes", leak: bank},
	{what: "marks by mergeTreeIndex()", ask: "SELECT count() FROM mergeTreeIndex('sluice', 'events_raw', with_marks = true)", want: "0", as: "indexes", leak: "1"},
	{what: "an exception in mergeTreeIndex()", ask: "SELECT count() FROM mergeTreeIndex('sluice', 'events_raw') WHERE part_name != toFixedString('a', 1) AND throwIf(project_id != 'shop') = 0", want: "0", as: "indexes", leak: thrown},
	{what: "words by mergeTreeTextIndex()", ask: "SELECT token FROM mergeTreeTextIndex('sluice', 'events_raw', 'words')", want: "none", as: "indexes", leak: "qzebra"},
	{what: "ranges by mergeTreeAnalyzeIndexes()", ask: "SELECT * FROM mergeTreeAnalyzeIndexes('sluice', 'events_raw', project_id = 'bank-9c41')", want: "none", as: "indexes", leak: "("},
	{what: "remote()", ask: "SELECT count() FROM remote('127.0.0.1', 'sluice', 'events_raw')", code: denied},
	{what: "cluster()", ask: "SELECT DISTINCT project_id FROM cluster('two', 'sluice', 'events_raw')", code: denied, as: "mighty", leak: "shop"},
	{what: "clusterAllReplicas()", ask: "SELECT count() FROM clusterAllReplicas('two', 'sluice', 'events_raw')", code: denied},
	{what: "url()", ask: "SELECT * FROM url('http://127.0.0.1:1/', LineAsString, 'a String')", code: denied},
	{what: "s3()", ask: "SELECT * FROM s3('http://127.0.0.1:1/bucket/k', LineAsString, 'a String')", code: denied},
	{what: "file()", ask: "SELECT * FROM file('users.xml', LineAsString, 'a String')", code: denied},
	{what: "mysql()", ask: "SELECT * FROM mysql('127.0.0.1:1', 'd', 't', 'u', 'p')", code: denied},
	{what: "executable()", ask: "SELECT * FROM executable('id', TSV, 'a String')", code: denied},
	{what: "dictionary()", ask: "SELECT * FROM dictionary('d')", code: denied},
	{what: "dictGet()", ask: "SELECT dictGet('sluice.d', 'a', 1)", code: "36"},
	{what: "joinGet()", ask: "SELECT joinGet('sluice.j', 'a', 1)", code: "60"},

	// System tables.
	{what: "queries of others", ask: "SELECT query FROM system.query_log", code: "60"},
	{what: "running queries", ask: "SELECT query FROM system.processes", code: denied, as: "mighty", leak: "system.processes"},
	{what: "parts", ask: "SELECT rows FROM system.parts", code: denied, as: "mighty", leak: "30000"},
	{what: "columns of parts", ask: "SELECT rows FROM system.parts_columns", code: denied, as: "mighty", leak: "30000"},
	{what: "index sizes", ask: "SELECT table FROM system.data_skipping_indices", code: denied, as: "mighty", leak: "events_raw"},
	{what: "errors", ask: "SELECT last_error_message FROM system.errors", code: denied, as: "mighty", leak: "Cannot parse"},
	{what: "policies", ask: "SELECT select_filter FROM system.row_policies", code: denied, as: "mighty", leak: "project_id IN"},
	{what: "users", ask: "SELECT name FROM system.users", code: denied, as: "mighty", leak: "sluice"},
	{what: "roles", ask: "SELECT name FROM system.roles", code: denied, as: "mighty", leak: "analyst_bank"},
	{what: "grants", ask: "SELECT * FROM system.grants", code: denied, as: "mighty", leak: "outcomes_raw"},
	{what: "grants of others", ask: "SHOW GRANTS FOR analyst_bank", code: denied, as: "mighty", leak: "analyst"},
	{what: "a policy's text", ask: "SHOW CREATE ROW POLICY both ON events_raw", code: denied, as: "mighty", leak: bank},
	{what: "clusters", ask: "SELECT host_name FROM system.clusters", code: denied, as: "mighty", leak: "127.0.0.1"},
	{what: "caches", ask: "SELECT * FROM system.query_cache", code: denied},
	{what: "tables of other databases", ask: "SELECT name FROM system.tables WHERE database = 'other'", want: "none", as: "mighty", leak: "secrets"},
	{what: "databases", ask: "SHOW DATABASES", want: "sluice", as: "mighty", leak: "other"},

	// Changing something.
	{what: "a role that is not granted", ask: "SET ROLE analyst_all", code: "512"},
	{what: "a role as a parameter", ask: "SELECT 1 FROM events WHERE throwIf(project_id != 'shop') = 0 LIMIT 1", want: "1", as: "unfiltered", leak: thrown},
	{what: "no role at all", ask: "SET ROLE NONE; SELECT count() FROM events", code: denied},
	{what: "limits away by SET ROLE", ask: "SET ROLE NONE; SET max_execution_time = 0, max_memory_usage = 0", code: constrained, as: "changing", leak: ""},
	{what: "readonly away", ask: "SET readonly = 0", code: readOnly, as: "free", leak: ""},
	{what: "readonly away in a query", ask: "SELECT 1 SETTINGS readonly = 0", code: readOnly, as: "free", leak: "1"},
	{what: "levels away", ask: "SELECT count() FROM events WHERE level >= 'critical' SETTINGS validate_enum_literals_in_operators = 0", code: readOnly, as: "free", leak: "0"},
	{what: "a filter before the policy", ask: "SELECT count() FROM events_raw SETTINGS additional_table_filters = {'sluice.events_raw': 'throwIf(message LIKE \\'qzeb%\\') = 0'}", code: readOnly},
	{what: "another order of the filters", ask: "SELECT count() FROM events SETTINGS apply_row_policy_after_final = 1", code: readOnly, as: "free", leak: "10000"},
	{what: "rows that were erased", ask: "SELECT count() FROM events SETTINGS apply_deleted_mask = 0", code: readOnly, as: "free", leak: "10000"},
	{what: "the cache of conditions", ask: "SELECT count() FROM events SETTINGS use_query_condition_cache = 1", code: readOnly, as: "free", leak: "10000"},
	{what: "parallel replicas", ask: "SELECT count() FROM events_raw SETTINGS enable_parallel_replicas = 1, cluster_for_parallel_replicas = 'two', max_parallel_replicas = 2, parallel_replicas_for_non_replicated_merge_tree = 1", code: readOnly},
	{what: "plans for other servers", ask: "SELECT 1 SETTINGS serialize_query_plan = 1", code: readOnly, as: "free", leak: "1"},
	{what: "older behaviour", ask: "SELECT 1 SETTINGS compatibility = '22.1'", code: readOnly, as: "free", leak: "1"},
	{what: "the query out of the log", ask: "SELECT 1 SETTINGS log_queries = 0", code: readOnly, as: "free", leak: "1"},
	{what: "the server's log", ask: "SELECT 1 SETTINGS send_logs_level = 'trace'", code: readOnly, as: "free", leak: "1"},
	{what: "more time", ask: "SELECT 1 SETTINGS max_execution_time = 126", code: constrained, as: "free", leak: "1"},
	{what: "more memory", ask: "SELECT 1 SETTINGS max_memory_usage = 4294967297", code: constrained, as: "free", leak: "1"},
	{what: "more rows", ask: "SELECT 1 SETTINGS max_result_rows = 1000001", code: constrained, as: "free", leak: "1"},
	{what: "no limit", ask: "SELECT 1 SETTINGS max_rows_to_read = 0", code: constrained, as: "free", leak: "1"},
	{what: "a temporary table", ask: "CREATE TEMPORARY TABLE t AS SELECT * FROM events_raw", code: denied},
	{what: "a table", ask: "CREATE TABLE sluice.t ENGINE = Memory AS SELECT * FROM events_raw", code: denied},
	{what: "a view of the definer's", ask: "CREATE VIEW sluice.t DEFINER = default SQL SECURITY DEFINER AS SELECT * FROM events_raw", code: denied},
	{what: "a view's security", ask: "ALTER TABLE events MODIFY SQL SECURITY NONE", code: denied},
	{what: "an insert", ask: "INSERT INTO events_raw (project_id) VALUES ('shop')", code: denied},
	{what: "an insert from a query", ask: "INSERT INTO FUNCTION null('a String') SELECT message FROM events_raw", code: denied},
	{what: "a function", ask: "CREATE FUNCTION f AS x -> x", code: denied},
	{what: "a policy", ask: "CREATE ROW POLICY mine ON sluice.events_raw USING 1 TO ann", code: denied},
	{what: "a grant", ask: "GRANT analyst_all TO ann", code: denied},
	{what: "another user", ask: "EXECUTE AS every SELECT count() FROM events", code: "344"},
	{what: "queries of others away", ask: "KILL QUERY WHERE user != 'ann' SYNC", code: denied},
	{what: "a mutation", ask: "ALTER TABLE events_raw DELETE WHERE 1", code: denied},
	{what: "an export", ask: "SELECT * FROM events INTO OUTFILE '/tmp/sluice-access-test.tsv'", code: "358"},
	{what: "a backup", ask: "BACKUP TABLE sluice.events_raw TO File('b')", code: denied},
	{what: "a check of the parts", ask: "CHECK TABLE events_raw", code: denied},
	{what: "a system command", ask: "SYSTEM FLUSH LOGS", code: denied},

	// Plans.
	{what: "a plan's estimate", ask: "EXPLAIN ESTIMATE SELECT * FROM events_raw WHERE project_id = 'bank-9c41'", want: "sluice\tevents_raw\t0\t0\t0", as: "unfiltered", leak: "49152"},
	{what: "a plan's syntax", ask: "EXPLAIN SYNTAX SELECT project_id FROM events_raw", want: "SELECT project_id\nFROM events_raw"},
}

// in asks statements in one session, and returns the answer to the last one.
func in(name, session, statements string) (body, code string) {
	parts := strings.Split(statements, "; ")
	for i, one := range parts {
		if body, code = ask(name, one, "session_id="+session); code != "" && i < len(parts)-1 {
			return "before the last statement: " + body, code
		}
	}
	return body, code
}

// An analyst of one project sees nothing of another one, whatever is tried. Whoever lacks the guard does.
func TestAttempts(t *testing.T) {
	needEngine(t)
	require.GreaterOrEqual(t, len(attempts), 40)
	for i, a := range attempts {
		body, code := in("ann", fmt.Sprint("ann", i), a.ask)
		if a.code != "" {
			assert.Equal(t, a.code, code, "%s: %s", a.what, body)
		} else {
			want := a.want
			if want == "none" {
				want = ""
			}
			assert.Equal(t, "", code, "%s: %s", a.what, body)
			assert.Equal(t, want, body, a.what)
		}
		for _, mark := range marks {
			if !strings.Contains(a.ask, mark) { // an error repeats the question
				assert.NotContains(t, body, mark, a.what)
			}
		}
		if a.as == "" {
			continue
		}
		body, code = in(a.as, fmt.Sprint(a.as, i), a.ask)
		if code != "" {
			assert.True(t, code == a.leak || strings.Contains(body, a.leak) && a.leak != "", "%s: as %s: %s", a.what, a.as, body)
		} else {
			assert.Contains(t, body, a.leak, "%s: as %s", a.what, a.as)
		}
	}
}
