package tests

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart"
	corev1 "k8s.io/api/core/v1"
)

// The rules and dashboards in the chart's files arrive whole: as one PrometheusRule, and as a ConfigMap each.
func TestRulesAndDashboardsArriveWhole(t *testing.T) {
	t.Parallel()
	r := renderSet(t, "production")
	rules := all[*monitoringv1.PrometheusRule](r)
	require.Len(t, rules, 1)
	n := 0
	for _, group := range rules[0].Spec.Groups {
		n += len(group.Rules)
	}
	text := read(t, chartDir, "files", "rules.yaml")
	assert.Equal(t, strings.Count(text, "alert: ")+strings.Count(text, "record: "), n)
	assert.Contains(t, text, "{{ $", "the rules have templates of Prometheus, which Helm leaves alone")
	for line := range strings.Lines(strings.TrimSpace(text)) {
		require.Contains(t, textOf(r, "PrometheusRule"), strings.TrimSpace(line))
	}

	files, err := filepath.Glob(filepath.Join(chartDir, "files", "dashboards", "*.json"))
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(files), 5)
	found := map[string]string{}
	for _, m := range all[*corev1.ConfigMap](r) {
		if m.Labels["grafana_dashboard"] == "1" {
			require.Len(t, m.Data, 1)
			for name, dashboard := range m.Data {
				found[name] = dashboard
				assert.True(t, json.Valid([]byte(dashboard)), name)
				assert.Less(t, len(dashboard), 1<<20, "%s: Kubernetes' limit of a ConfigMap", name)
				assert.Equal(t, "Sluice", m.Annotations["grafana_folder"])
			}
		}
	}
	for _, file := range files {
		assert.Equal(t, read(t, file), found[filepath.Base(file)])
	}
	assert.Len(t, found, len(files))
}

// textOf returns the text of the release's only object of a kind.
func textOf(r *release, kind string) string {
	i := slices.IndexFunc(r.objects, func(o object) bool { return strings.HasPrefix(o.String(), kind+"/") })
	return r.objects[i].text
}

// Without the files there is no empty rule, which Prometheus' operator would refuse.
func TestNoRuleWithoutTheFile(t *testing.T) {
	t.Parallel()
	loaded, err := loadChart()
	require.NoError(t, err)
	bare := *loaded
	bare.Files = slices.DeleteFunc(slices.Clone(loaded.Files), func(f *chart.File) bool {
		return strings.HasPrefix(f.Name, "files/")
	})
	r, err := renderChart(&bare, "sluice", minimalWith(t, `monitoring: {rules: {enabled: true}, dashboards: {enabled: true}}`))
	require.NoError(t, err)
	assert.Empty(t, all[*monitoringv1.PrometheusRule](r))
}
