package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// rule is a recording rule or an alert.
type rule struct {
	Record, Alert, Expr string
	For                 string
	Labels, Annotations map[string]string
}

// ruleFile is the file of the rules.
type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

func readRules(t *testing.T) (all []rule) {
	t.Helper()
	var file ruleFile
	readYAML(t, filepath.Join("prometheus", "rules.yaml"), &file)
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	require.Greater(t, len(all), 40)
	return all
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, into), path)
}

// recordings returns the names of the recorded series.
func recordings(rules []rule) (names []string) {
	for _, r := range rules {
		if r.Record != "" {
			names = append(names, r.Record)
		}
	}
	return names
}

// promtool runs Debian's promtool, of the package prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is not on the path: .ci/run installs it with the package prometheus")
		}
		t.Skip("promtool is not on the path: install the package prometheus")
	}
	command := exec.CommandContext(t.Context(), path, args...)
	command.Dir = "prometheus"
	out, err := command.CombinedOutput()
	require.NoError(t, err, "promtool %s:\n%s", strings.Join(args, " "), out)
}

func TestRulesAreValid(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")
	promtool(t, "check", "config", "--lint=all", "--lint-fatal", "prometheus.yaml")
}

// Each alert fires on its condition, and stays quiet without it.
func TestAlerts(t *testing.T) {
	t.Parallel()
	for _, file := range testFiles {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			promtool(t, "test", "rules", file)
		})
	}
}

// testFiles are the tests of promtool. Those that span days evaluate the rules more rarely.
var testFiles = []string{"rules_test.yaml", "rules_days_test.yaml"}

// testFile is what TestEachAlertIsTested looks at of them.
type testFile struct {
	Tests []struct {
		Name          string
		InputSeries   []struct{ Series string } `yaml:"input_series"`
		AlertRuleTest []struct {
			Alertname string
			ExpAlerts []any `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

// Each alert has a test in which it fires, and one in which it is quiet although the same series are there.
func TestEachAlertIsTested(t *testing.T) {
	t.Parallel()
	fires, quiet := map[string][][]string{}, map[string][][]string{}
	for _, path := range testFiles {
		var file testFile
		readYAML(t, filepath.Join("prometheus", path), &file)
		for _, test := range file.Tests {
			require.Len(t, test.AlertRuleTest, 1, test.Name)
			alert := test.AlertRuleTest[0]
			var names []string
			for _, s := range test.InputSeries {
				name, _, _ := strings.Cut(s.Series, "{")
				names = append(names, name)
			}
			if len(alert.ExpAlerts) > 0 {
				fires[alert.Alertname] = append(fires[alert.Alertname], names)
			} else {
				quiet[alert.Alertname] = append(quiet[alert.Alertname], names)
			}
		}
	}
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		require.NotEmpty(t, fires[r.Alert], "%s has no test in which it fires", r.Alert)
		require.NotEmpty(t, quiet[r.Alert], "%s has no test in which it is quiet", r.Alert)
		same := slices.ContainsFunc(quiet[r.Alert], func(names []string) bool {
			return slices.ContainsFunc(fires[r.Alert], func(other []string) bool {
				return !slices.ContainsFunc(other, func(name string) bool { return !slices.Contains(names, name) })
			})
		})
		assert.True(t, same, "%s is quiet only because its series are not there", r.Alert)
	}
}

var withValue = regexp.MustCompile(`\$value`)

// Each alert says how severe it is, what happens, with its value, and where the runbook has more. Its entry there has
// the alert's own name.
func TestAlertsAreComplete(t *testing.T) {
	t.Parallel()
	anchors, seen := runbookAnchors(t), map[string]bool{}
	for _, r := range readRules(t) {
		if r.Alert == "" {
			continue
		}
		require.False(t, seen[r.Alert], "two alerts %s", r.Alert)
		seen[r.Alert] = true
		assert.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
		assert.Regexp(t, `^[A-Z].*[^.]\.$`, r.Annotations["summary"], r.Alert)
		if !slices.Contains(withoutValue, r.Alert) {
			assert.Regexp(t, withValue, r.Annotations["description"], r.Alert)
		}
		assert.NotEmpty(t, r.Annotations["description"], r.Alert)
		assert.Equal(t, runbook(r.Alert), r.Annotations["runbook_url"], r.Alert)
		assert.Contains(t, anchors, strings.ToLower(r.Alert), "docs/operations.md has no entry")
	}
}

// withoutValue are alerts whose value is 0, 1 or nothing.
var withoutValue = []string{
	"SluiceNoGateway", "SluiceNoConsumer", "SluiceTargetDown", "SluiceNotLive", "SluiceNotReady",
	"SluiceProjectsFileBroken", "SluiceCertificateBroken", "SluiceLimitStoreAway", "SluiceConsumerIdle",
}

// Every metric and label in a rule is one that a program exposes, or that a rule records.
func TestRulesNameMetrics(t *testing.T) {
	t.Parallel()
	have, rules := exposed(t), readRules(t)
	for _, r := range rules {
		checkExpr(t, r.Record+r.Alert, r.Expr, have, recordings(rules))
	}
}
