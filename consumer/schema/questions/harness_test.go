package questions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }

// question is one file of docs/queries.
type question struct {
	name string // of the file, without .sql
	text string // the statement
}

// number is what the file's name begins with. Questions that are not of docs/queries have none.
func (q question) number() string {
	if len(q.name) < 3 || q.name[2] != '-' {
		return ""
	}
	return q.name[:2]
}

// ofTable is the question asked of the table, resends and all.
func (q question) ofTable() question {
	q.text = strings.NewReplacer(
		"FROM events\n", "FROM events_raw\n",
		"FROM outcomes\n", "FROM "+outcomesOfTable+"\n",
		"FROM issues\n", "FROM ("+issuesOf("events_raw")+")\n",
		"FROM events_per_minute\n", "FROM (SELECT project_id, toStartOfMinute(timestamp) AS minute, environment, level, "+
			"count() AS events FROM events_raw GROUP BY project_id, minute, environment, level)\n",
	).Replace(q.text)
	return q
}

// issuesOf is the question behind the view issues, asked of a table.
func issuesOf(table string) string {
	return `SELECT project_id, fingerprint, issue_id, min(timestamp) AS first_seen, max(timestamp) AS last_seen,
		count() AS events, uniqExactIf(user_id, user_id != '') AS users,
		argMax(e.level, (timestamp, cityHash64(event_id))) AS level,
		argMax(e.message, (timestamp, cityHash64(event_id))) AS message
		FROM ` + table + ` AS e GROUP BY project_id, fingerprint, issue_id`
}

// outcomesOfTable is the view outcomes without what removes resends.
const outcomesOfTable = `(
	SELECT project_id, toStartOfMinute(toDateTime(received_at, 'UTC')) AS minute, toLowCardinality('accepted') AS outcome,
		toUInt64(1) AS events
	FROM events_raw
	UNION ALL
	SELECT project_id, minute, outcome, events FROM outcomes_raw
)`

// all reads the questions.
func all(tb testing.TB) []question {
	tb.Helper()
	files, err := filepath.Glob("../../../docs/queries/*.sql")
	require.NoError(tb, err)
	require.Len(tb, files, 20)
	var out []question
	for i, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(tb, err)
		q := question{name: strings.TrimSuffix(filepath.Base(file), ".sql"), text: string(text)}
		require.Equal(tb, fmt.Sprintf("%02d", i+1), q.number(), "the questions are numbered")
		out = append(out, q)
	}
	return out
}

// parameters are the values of a question's parameters, by name.
type parameters map[string]string

// but is the parameters with other values for some: name, value, name, value …
func (p parameters) but(changes ...string) parameters {
	p = maps.Clone(p)
	for pair := range slices.Chunk(changes, 2) {
		p[pair[0]] = pair[1]
	}
	return p
}

// ask asks a question over HTTP, with ClickHouse's own parameters. The answer has lines of fields with tabs between
// them, and a line of names first.
func ask(ctx context.Context, d *clickhousetest.Database, q question, p parameters) (string, error) {
	base, err := url.Parse(d.HTTP())
	if err != nil {
		return "", err
	}
	values := url.Values{
		"database": {strings.Trim(base.Path, "/")}, "default_format": {"TSVWithNames"}, "max_threads": {"2"},
	}
	for name, value := range p {
		values.Set("param_"+name, value)
	}
	target := "http://" + base.Host + "/?" + values.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(q.text))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return string(text), err
}

// mustAsk is ask where an error ends the test.
func mustAsk(tb testing.TB, d *clickhousetest.Database, q question, p parameters) string {
	tb.Helper()
	answer, err := ask(tb.Context(), d, q, p)
	require.NoError(tb, err, q.name)
	return answer
}
