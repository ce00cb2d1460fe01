package schema

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
	"sluice/internal/outcome"
)

// dashboard is what the test looks at of Grafana's JSON.
type dashboard struct {
	Panels []struct {
		Title, Type string
		Targets     []struct{ RawSQL, QueryType string }
	}
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
			Datasource struct{ Type string }
		}
	}
}

// pluginForClickHouse is the plugin whose macros withMacros knows.
const pluginForClickHouse = "grafana-clickhouse-datasource"

var (
	timeFilter   = regexp.MustCompile(`\$__timeFilter\((\w+)\)`)
	timeInterval = regexp.MustCompile(`\$__timeInterval\((\w+)\)`)
	pickedValues = regexp.MustCompile(`\$\{(\w+):singlequote\}`)
)

// withMacros does to a query what Grafana and its plugin do, for the last six hours by the minute.
func withMacros(t *testing.T, query string, picked map[string]string) string {
	t.Helper()
	now := time.Now()
	query = timeFilter.ReplaceAllString(query,
		fmt.Sprintf("$1 >= toDateTime(%d) AND $1 <= toDateTime(%d)",
			now.Add(-6*time.Hour).Unix(), now.Add(time.Minute).Unix()))
	query = timeInterval.ReplaceAllString(query, "toStartOfInterval(toDateTime($1), INTERVAL 60 second)")
	query = pickedValues.ReplaceAllStringFunc(query, func(v string) string {
		values, known := picked[pickedValues.FindStringSubmatch(v)[1]]
		require.True(t, known, v)
		return values
	})
	require.NotContains(t, query, "$")
	return query
}

// Every query of the dashboards runs on this schema, and finds what is there.
func TestDashboardQueries(t *testing.T) {
	t.Parallel()
	d := clickhousetest.Migrated(t)
	store := storeOf(d)
	now := time.Now()
	event := func(offset int64, project string, level string, at time.Time) rowstest.Record {
		return rowstest.From(offset, project, rowstest.ID(uint64(offset)), at, fmt.Sprintf(
			`{"message":"it broke","level":%q,"environment":"prod","release":"v%d","user":{"id":"u%d"},"timestamp":%d}`,
			level, offset%2, offset, at.UnixMilli()))
	}
	putRows(t, store, event(1, "shop", "error", now.Add(-time.Hour)), event(2, "shop", "info", now.Add(-time.Hour)),
		event(3, "shop", "fatal", now.Add(-2*time.Minute)), event(4, "blog", "error", now.Add(-time.Minute)),
		event(5, "shop", "error", now.Add(-24*time.Hour)))
	require.NoError(t, tableAt(t, store).InsertOutcomes(t.Context(), []outcome.Row{{
		Project: "shop", Minute: outcome.MinuteOf(now.Add(-time.Hour)), Protocol: "native", Outcome: outcome.Rejected,
		Reason: "malformed", Events: 7, Source: uuid.UUID{1},
	}}))

	files, err := filepath.Glob(filepath.Join("..", "..", "deploy", "observe", "grafana", "dashboards", "*.json"))
	require.NoError(t, err)
	answers, queries := map[string]string{}, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var board dashboard
		require.NoError(t, json.Unmarshal(text, &board), file)
		picked := map[string]string{}
		for _, v := range board.Templating.List {
			if v.Type != "query" || v.Datasource.Type != pluginForClickHouse {
				continue
			}
			queries++
			answer := d.Ask(withMacros(t, v.Query.(string), picked))
			require.NotEmpty(t, answer, v.Name)
			answers[v.Name] = answer
			picked[v.Name] = "'" + strings.ReplaceAll(answer, "\n", "','") + "'"
		}
		for _, p := range board.Panels {
			for _, q := range p.Targets {
				if q.RawSQL == "" {
					continue
				}
				queries++
				sql := withMacros(t, q.RawSQL, picked)
				answer := d.Ask(sql)
				answers[p.Title] = answer
				columns := d.Ask("DESCRIBE (" + sql + ")")
				switch p.Type {
				case "stat":
					assert.Regexp(t, `^[0-9.e-]+$`, answer, p.Title)
				case "timeseries":
					assert.Equal(t, "timeseries", q.QueryType, p.Title)
					assert.Regexp(t, `^time\tDateTime`, columns, p.Title)
					assert.NotEmpty(t, answer, p.Title)
				}
			}
		}
	}
	require.Greater(t, queries, 20)
	for title, want := range map[string]string{
		"project": "blog\nshop", "environment": "prod", "Events": "4", "Errors and worse": "0.75", "Issues seen": "2",
		"Users affected by errors": "3", "What was not accepted, and why": "shop\tnative\trejected\tmalformed\t7",
		"Detached parts": "0", "Mutations that do not end": "0",
	} {
		assert.Equal(t, want, answers[title], title)
	}
	assert.Regexp(t, `^shop\t\w+\t3\t3\tfatal\tit broke\t`, answers["Issues with the most events"])
	assert.Contains(t, answers["Tables"], "events_raw\t")
}
