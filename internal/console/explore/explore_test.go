package explore

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/embedded"
)

func TestMain(m *testing.M) {
	embedded.Main()
	os.Exit(m.Run())
}

// engine starts ClickHouse with a database, and returns an explorer of it and a function that runs a statement with all
// rights.
func engine(t *testing.T) (*Explorer, func(sql string) string) {
	t.Helper()
	e := embedded.NewEngine(embedded.EngineConfig{TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: t.TempDir(), Progress: os.Stderr})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	select {
	case <-e.Ready():
	case err := <-done:
		done <- nil
		t.Fatal(err)
	}
	x := New(Config{Addr: e.HTTPAddr(), User: embedded.Reader, Database: "sluice"})
	all := newClickHouse(Config{Addr: e.HTTPAddr(), User: "default", Database: "default"})
	exec := func(sql string) string {
		t.Helper()
		text, err := all.text(t.Context(), sql)
		require.NoError(t, err)
		return text
	}
	exec("CREATE DATABASE sluice")
	exec("CREATE TABLE sluice.t (a UInt64, b String) ENGINE = MergeTree ORDER BY a")
	exec("INSERT INTO sluice.t SELECT number, 'b' FROM numbers(3)")
	exec("CREATE DATABASE other")
	exec("CREATE TABLE other.secret (a UInt64) ENGINE = MergeTree ORDER BY a")
	return x, exec
}

// query sends a statement as the page does.
func query(t *testing.T, x http.Handler, sql string) (int, string, result) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"sql": sql})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:8081/console/query", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	x.ServeHTTP(w, r)
	var out struct {
		result
		Error string `json:"error"`
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out))
	return w.Code, out.Error, out.result
}

// A reader reads the database sluice, and can neither change anything nor read anything else.
func TestReadOnly(t *testing.T) {
	x, exec := engine(t)
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("hunter2"), 0o600))
	require.Contains(t, exec("SELECT file('"+secret+"') FORMAT RawBLOB"), "hunter2", "the function that the guard is for")
	leak := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the statement sent a request") }))
	defer leak.Close()

	for _, sql := range []string{
		"INSERT INTO t VALUES (9, 'x')", "INSERT INTO t SELECT 9, 'x'", "DROP TABLE t", "DROP DATABASE sluice", "TRUNCATE TABLE t", "ALTER TABLE t DELETE WHERE 1",
		"CREATE TABLE u (a Int8) ENGINE = Memory", "CREATE TEMPORARY TABLE u (a Int8)", "CREATE USER u", "CREATE FUNCTION f AS x -> x", "GRANT ALL ON *.* TO reader",
		"SYSTEM SHUTDOWN", "SYSTEM STOP MERGES", "KILL QUERY WHERE 1", "SET readonly = 0", "SELECT 1 SETTINGS readonly = 0", "SELECT 1 SETTINGS max_execution_time = 1000",
		"SELECT * FROM file('" + secret + "', LineAsString)", "SELECT * FROM '" + secret + "'", "SELECT * FROM url('" + leak.URL + "', LineAsString, 'a String')",
		"SELECT * FROM remote('127.0.0.1', system.one)", "SELECT * FROM s3('" + leak.URL + "/bucket/x', CSV, 'a String')", "SELECT * FROM executable('ls', TSV, 'a String')",
		"SELECT 1 INTO OUTFILE '" + secret + ".out'", "BACKUP TABLE t TO File('" + secret + ".b')", "SELECT * FROM other.secret", "SELECT * FROM system.users",
		"SELECT * FROM system.query_log", "SELECT 1; DROP TABLE t",
		"SELECT file('" + secret + "')", "SELECT FILE('" + secret + "')", "SELECT `file`('" + secret + "')", "SELECT \"file\"('" + secret + "')", "SELECT `fil\\x65`('" + secret + "')",
		"SELECT file /* ' */ ('" + secret + "')", "SELECT * APPLY(file) FROM (SELECT '" + secret + "')", "SELECT arrayMap(file, ['" + secret + "'])",
		"SELECT 1 AS `'`, file('" + secret + "') AS `''`", "SELECT '\\'', file('" + secret + "'), ''", "WITH x -> file(x) AS f SELECT f('" + secret + "')",
		"SELECT $$'$$, file('" + secret + "')", "EXPLAIN SELECT file('" + secret + "')", "SELECT count() FROM numbers(1000000000000)",
	} {
		status, refused, got := query(t, x, sql)
		require.Equal(t, http.StatusBadRequest, status, sql)
		require.NotEmpty(t, refused, sql)
		require.NotContains(t, refused, "hunter2", sql)
		require.Empty(t, got.Rows, sql)
	}
	require.Equal(t, "3", strings.TrimSpace(exec("SELECT count() FROM sluice.t FORMAT TSV")))
	require.Equal(t, "t", strings.TrimSpace(exec("SELECT name FROM system.tables WHERE database = 'sluice' FORMAT TSV")))
	require.NoFileExists(t, secret+".out")

	for _, sql := range []string{
		"SHOW TABLES", "DESCRIBE t", "EXISTS t", "EXPLAIN SELECT 1", "WITH 1 AS x SELECT x", "(SELECT 1)", "SELECT 1 UNION ALL SELECT 2", "FROM t SELECT a",
		"/* why */ SELECT 1 -- not file", "SELECT * FROM numbers(3)", "SHOW CREATE TABLE t",
	} {
		status, refused, _ := query(t, x, sql)
		require.Equal(t, http.StatusOK, status, "%s: %s", sql, refused)
	}

	status, refused, got := query(t, x, "SELECT a, b, NULL AS c, 'file ''(' AS d, '<b>' AS e FROM t ORDER BY a;")
	require.Equal(t, http.StatusOK, status, refused)
	require.Equal(t, []column{{"a", "UInt64"}, {"b", "String"}, {"c", "Nullable(Nothing)"}, {"d", "String"}, {"e", "String"}}, got.Columns)
	require.Equal(t, []string{"0", "b", "ᴺᵁᴸᴸ", "file '(", "<b>"}, got.Rows[0])
	require.Equal(t, "3", got.ReadRows.String())
	for n, truncated := range map[string]bool{"999": false, "1000": false, "1001": true, "100000": true} {
		_, _, got = query(t, x, "SELECT number FROM numbers("+n+")")
		require.Equal(t, truncated, got.Truncated, n)
		all, err := strconv.Atoi(n)
		require.NoError(t, err)
		require.Len(t, got.Rows, min(all, maxRows), n)
	}
	_, _, got = query(t, x, "SELECT repeat('é', 10000) AS a")
	require.True(t, got.Truncated)
	require.Less(t, len(got.Rows[0][0]), maxCell+8)
	_, refused, _ = query(t, x, "SELCT 1")
	require.Equal(t, "Code: 62. Syntax error: failed at position 1 (SELCT): SELCT 1.", refused)
	_, refused, _ = query(t, x, "SELECT nothing FROM t")
	require.Contains(t, refused, "Unknown expression identifier `nothing`")
	_, _, got = query(t, x, "SELECT 1 AS a FORMAT JSONEachRow")
	require.Equal(t, "{\"a\":1}\n", got.Text)
	for n, ok := range map[int]bool{maxStatement - 1: true, maxStatement: true, maxStatement + 1: false} {
		status, _, _ = query(t, x, "SELECT 1"+strings.Repeat(" ", n-len("SELECT 1,2"))+",2")
		require.Equal(t, ok, status == http.StatusOK, n)
	}
}

func TestReadsFile(t *testing.T) {
	for printed, want := range map[string]bool{
		"SELECT file('x')": true, "SELECT\n    1 AS `'`,\n    file('x') AS `'`": true, "SELECT * APPLY file": true, "SELECT `file`": true,
		"SELECT 'file'": false, "SELECT 'it\\'s a file'": false, "SELECT filename, profile, file_name FROM t": false, "SELECT 'a\\\\', file('x')": true, "": false,
		"SELECT 'a''b file'": false, "SELECT 'x\nfile'": false,
	} {
		require.Equal(t, want, readsFile(printed), printed)
	}
}

// No foreign page and no foreign name gets an answer.
func TestSameSite(t *testing.T) {
	x := New(Config{Addr: "127.0.0.1:1", User: "reader", Database: "sluice"})
	send := func(method, path string, change func(*http.Request)) int {
		r := httptest.NewRequestWithContext(t.Context(), method, "http://127.0.0.1:8081"+path, strings.NewReader(`{"sql":"SELECT 1"}`))
		r.Header.Set("Content-Type", "application/json")
		change(r)
		w := httptest.NewRecorder()
		x.ServeHTTP(w, r)
		return w.Code
	}
	for host, want := range map[string]int{
		"127.0.0.1:8081": 200, "localhost:8081": 200, "LOCALHOST": 200, "[::1]:8081": 200, "10.1.2.3:80": 200, "::1": 200,
		"evil.example:8081": 403, "127.0.0.1.evil.example:8081": 403, "localhost.evil.example": 403, "": 403, "127.0.0.1:8081.evil.example": 403,
	} {
		require.Equal(t, want, send(http.MethodGet, "/console/examples", func(r *http.Request) { r.Host = host }), host)
	}
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	away := http.StatusBadGateway // the statement was accepted, and this ClickHouse is away
	require.Equal(t, away, send(http.MethodPost, "/console/query", func(*http.Request) {}))
	require.Equal(t, away, send(http.MethodPost, "/console/query", header("Sec-Fetch-Site", "same-origin")))
	require.Equal(t, away, send(http.MethodPost, "/console/query", header("Origin", "http://127.0.0.1:8081")))
	require.Equal(t, 403, send(http.MethodPost, "/console/query", header("Origin", "http://evil.example")))
	require.Equal(t, 403, send(http.MethodPost, "/console/query", header("Origin", "null")))
	require.Equal(t, 403, send(http.MethodPost, "/console/query", header("Sec-Fetch-Site", "cross-site")))
	require.Equal(t, 403, send(http.MethodPost, "/console/query", header("Sec-Fetch-Site", "same-site")), "another port of this machine")
	require.Equal(t, 415, send(http.MethodPost, "/console/query", header("Content-Type", "text/plain")), "what a form can send")
	require.Equal(t, 405, send(http.MethodGet, "/console/query", func(*http.Request) {}))
	require.Equal(t, away, send(http.MethodGet, "/console/events", func(*http.Request) {}))
}

func TestRequestsThatAreNoStatement(t *testing.T) {
	x := New(Config{Addr: "127.0.0.1:1", User: "reader", Database: "sluice"})
	for body, want := range map[string]string{"": "the body must be", "[]": "the body must be", `{"sql":" ;"}`: "no statement", `{"sql":"` + strings.Repeat("x", 9*maxStatement) + `"}`: "the body must be"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1/console/query", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		x.ServeHTTP(w, r)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), want)
	}
	for range statements {
		x.running <- struct{}{}
	}
	status, text, _ := query(t, x, "SELECT 1")
	require.Equal(t, http.StatusTooManyRequests, status)
	require.Contains(t, text, "two statements are running")
}

// The examples are those of the documentation, so that both stay right.
func TestExamplesAreTheDocuments(t *testing.T) {
	text, err := os.ReadFile("../../../docs/queries.md")
	require.NoError(t, err)
	have := map[string]bool{}
	for _, x := range examples() {
		have["-- "+x.Title+"\n"+x.SQL] = true
	}
	n := 0
	for _, block := range regexp.MustCompile("(?s)```sql\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for part := range strings.SplitSeq(block[1], ";\n") {
			if part = strings.TrimSpace(part); part != "" {
				require.True(t, have[part], "examples.sql lacks:\n%s", part)
				n++
			}
		}
	}
	require.Len(t, examples(), n+2, "and README's two")
}
