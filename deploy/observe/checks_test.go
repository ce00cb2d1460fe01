package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// metric is a row of docs/metrics.md, whose tables come from the programs themselves.
type metric struct {
	kind   string
	labels map[string][]string // with the values that the table lists, if any
}

var (
	metricRow   = regexp.MustCompile("(?m)^\\| `(sluice_\\w+)` \\| (\\w+) \\| ([^|]*) \\|")
	metricLabel = regexp.MustCompile("`(\\w+)`(?:: ([^;]*))?")
)

// exposed returns what the programs expose, by the name of the series.
func exposed(t *testing.T) map[string]metric {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "metrics.md"))
	require.NoError(t, err)
	all := map[string]metric{}
	for _, row := range metricRow.FindAllStringSubmatch(string(text), -1) {
		m := metric{kind: row[2], labels: map[string][]string{}}
		for _, l := range metricLabel.FindAllStringSubmatch(row[3], -1) {
			m.labels[l[1]] = nil
			if l[2] != "" {
				m.labels[l[1]] = strings.Split(strings.TrimSpace(l[2]), ", ")
			}
		}
		if m.kind != "histogram" {
			all[row[1]] = m
			continue
		}
		bucket := metric{kind: m.kind, labels: maps.Clone(m.labels)}
		bucket.labels["le"] = nil
		all[row[1]+"_bucket"], all[row[1]+"_sum"], all[row[1]+"_count"] = bucket, m, m
	}
	require.Greater(t, len(all), 50)
	return all
}

// foreign are metrics that Prometheus itself or the client library for Go makes.
var foreign = []string{"up", "process_start_time_seconds", "process_cpu_seconds_total",
	"process_resident_memory_bytes", "process_open_fds"}

// scraped are labels that Prometheus adds.
var scraped = []string{"namespace", "job", "instance"}

// optional are the programs whose metrics are compared only where docs/metrics.md has them.
var optional = []string{"sluice_audit_", "sluice_canary_"}

// checkExpr compares the series of an expression with what is exposed and recorded.
func checkExpr(t *testing.T, where, expr string, have map[string]metric, recorded []string) {
	t.Helper()
	tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if !assert.NoError(t, err, "%s: %s", where, expr) {
		return
	}
	labels := slices.Clone(scraped)
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is || slices.Contains(foreign, selector.Name) || slices.Contains(recorded, selector.Name) {
			return nil
		}
		m, known := have[selector.Name]
		if !known {
			_, documented := have["sluice_audit_unaccounted_records"]
			skipped := slices.ContainsFunc(optional, func(p string) bool { return strings.HasPrefix(selector.Name, p) })
			if documented || !skipped {
				t.Errorf("%s: no program has the metric %s", where, selector.Name)
			}
			labels = append(labels, "partition", "reason")
			return nil
		}
		labels = slices.AppendSeq(labels, maps.Keys(m.labels))
		for _, matcher := range selector.LabelMatchers {
			values, has := m.labels[matcher.Name]
			switch {
			case matcher.Name == "__name__" || slices.Contains(scraped, matcher.Name):
			case !has:
				t.Errorf("%s: %s has no label %s", where, selector.Name, matcher.Name)
			case len(values) > 0:
				assert.True(t, slices.ContainsFunc(values, matcher.Matches),
					"%s: %s matches no value of %s", where, matcher, selector.Name)
			}
		}
		return nil
	})
	// Labels that the expression groups by are those of one of its metrics.
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if sum, is := node.(*parser.AggregateExpr); is {
			for _, l := range sum.Grouping {
				assert.Contains(t, labels, l, "%s: %s", where, expr)
			}
		}
		return nil
	})
}

// grafanaMacro replaces what Grafana fills in before Prometheus sees a query.
var grafanaMacro = strings.NewReplacer("$__rate_interval", "5m", "$__interval", "1m", "$__range", "1h")

// panelJSON is what the checks look at of a panel.
type panelJSON struct {
	Type, Title, Description string
	Datasource               struct{ Type, UID string }
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []struct {
		Datasource                       struct{ Type, UID string }
		Expr, LegendFormat, RawSQL, Expo string
		RefID                            string
	}
	Links       []struct{ URL string }
	FieldConfig struct{ Defaults struct{ Unit string } }
}

// boardJSON is what the checks look at of a dashboard.
type boardJSON struct {
	UID, Title string
	Panels     []panelJSON
	Links      []struct{ Type, URL string }
	Templating struct {
		List []struct {
			Name, Type string
			Query      any
			Datasource *struct{ UID string }
		}
	}
}

// boards reads the dashboards in the tree.
func boards(t *testing.T) map[string]boardJSON {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, forGrafana, "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 5)
	all := map[string]boardJSON{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var b boardJSON
		require.NoError(t, json.Unmarshal(text, &b), file)
		all[filepath.Base(file)] = b
	}
	return all
}

// Every metric and label in a panel is one that a program exposes, or that a rule records.
func TestPanelsNameMetrics(t *testing.T) {
	t.Parallel()
	have, recorded, n := exposed(t), recordings(readRules(t)), 0
	for file, b := range boards(t) {
		for _, p := range b.Panels {
			for _, q := range p.Targets {
				if q.Expr == "" {
					continue
				}
				n++
				where := file + ": " + p.Title
				checkExpr(t, where, grafanaMacro.Replace(q.Expr), have, recorded)
				for _, l := range legendLabel.FindAllStringSubmatch(q.LegendFormat, -1) {
					assert.Regexp(t, `by \([^)]*\b`+l[1]+`\b`, q.Expr, "%s: the legend's label", where)
				}
			}
		}
	}
	require.Greater(t, n, 60)
}

var legendLabel = regexp.MustCompile(`\{\{(\w+)\}\}`)

// Every panel says its unit, what is normal and what to do, and lies on the grid without an overlap. No datasource is
// named but through a variable of the dashboard.
func TestPanelsAreComplete(t *testing.T) {
	t.Parallel()
	for file, b := range boards(t) {
		uids := map[string]bool{}
		for _, v := range b.Templating.List {
			if v.Type == "datasource" {
				uids["${"+v.Name+"}"] = true
			} else {
				require.NotNil(t, v.Datasource, "%s: variable %s", file, v.Name)
				assert.True(t, uids[v.Datasource.UID], "%s: variable %s: datasource %s", file, v.Name, v.Datasource.UID)
			}
		}
		require.NotEmpty(t, uids, file)
		taken := map[[2]int]string{}
		for _, p := range b.Panels {
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					assert.Empty(t, taken[[2]int{x, y}], "%s: %s lies on another panel", file, p.Title)
					taken[[2]int{x, y}] = p.Title
				}
			}
			assert.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, "%s: %s", file, p.Title)
			if p.Type == "row" {
				continue
			}
			assert.NotEmpty(t, p.FieldConfig.Defaults.Unit, "%s: %s", file, p.Title)
			assert.Regexp(t, `(?s)^Normal: .+\.\n\nIf not: .+[.?]$`, p.Description, "%s: %s", file, p.Title)
			assert.True(t, uids[p.Datasource.UID], "%s: %s: datasource %s", file, p.Title, p.Datasource.UID)
			require.NotEmpty(t, p.Targets, "%s: %s", file, p.Title)
			for _, q := range p.Targets {
				assert.True(t, uids[q.Datasource.UID], "%s: %s: datasource %s", file, p.Title, q.Datasource.UID)
				assert.NotEmpty(t, q.RefID, "%s: %s", file, p.Title)
			}
		}
	}
}

// Every link of a dashboard to the runbook leads to a heading there.
func TestDashboardLinksResolve(t *testing.T) {
	t.Parallel()
	anchors, n := runbookAnchors(t), 0
	for file, b := range boards(t) {
		links := []string{}
		for _, l := range b.Links {
			if l.Type == "link" {
				links = append(links, l.URL)
			}
		}
		for _, p := range b.Panels {
			for _, l := range p.Links {
				links = append(links, l.URL)
			}
		}
		for _, l := range links {
			n++
			base, anchor, _ := strings.Cut(l, "#")
			assert.Equal(t, runbookInTree, base, file)
			assert.Contains(t, anchors, anchor, file)
		}
	}
	require.Greater(t, n, 40)
}

var (
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	notSlug = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// runbookAnchors returns the headings of the runbook, as GitHub links to them.
func runbookAnchors(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, runbookInTree))
	require.NoError(t, err)
	var anchors []string
	for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
		anchors = append(anchors, strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(h[1]), ""), " ", "-"))
	}
	return anchors
}
