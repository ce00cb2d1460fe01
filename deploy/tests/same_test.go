package tests

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// explained are the settings in which docker-compose.yml, the chart and the units differ, and why. "absent" is a
// setting at its default. Everything else is the same.
var explained = map[string]struct{ compose, chart, systemd, why string }{
	"gateway projects-file": {"/etc/sluice/projects.yaml", "/etc/sluice/projects/projects.yaml", "/etc/sluice/projects.yaml",
		"Kubernetes updates a mounted directory, and never a file that is mounted by itself"},
	"gateway console-consumers": {"consumer:8082", "sluice-consumer-admin:8082", "127.0.0.1:8082",
		"each has a name of its own for the consumers"},
	"consumer clickhouse-dsn": {"clickhouse://sluice:sluice@clickhouse:9000/sluice", "absent", "absent",
		"compose is for trying out, with a password that everybody knows; elsewhere the DSN is a file"},
	"consumer clickhouse-dsn-file": {"absent", "/etc/sluice/clickhouse/dsn", "%d/clickhouse-dsn", "the secret's file"},
	"migrate clickhouse-dsn": {"clickhouse://sluice:sluice@clickhouse:9000/sluice", "absent", "absent",
		"as for the consumer"},
	"migrate clickhouse-dsn-file": {"absent", "/etc/sluice/clickhouse/dsn", "%d/clickhouse-dsn", "as for the consumer"},
	"migrate kafka-brokers": {"absent", "absent", "kafka:9092",
		"one settings file serves all units; the migration does not connect to Kafka"},
	"topics replication": {"1", "absent", "absent", "compose has one broker"},
	"topics min-isr":     {"1", "absent", "absent", "compose has one broker"},
}

// docker-compose.yml, the chart with its least values and the systemd units start the same programs with the same
// settings, and give them the same time to stop.
func TestComposeChartAndUnitsAreTheSame(t *testing.T) {
	t.Parallel()
	compose, chart, systemd := composeUnits(t), chartUnits(t), map[string]unit{}
	for name, s := range services(t) {
		systemd[strings.TrimPrefix(name, "sluice-")] = s.unit(t)
	}
	used := map[string]bool{}
	for _, name := range []string{"topics", "migrate", "gateway", "consumer"} {
		a, b, c := compose[name], chart[name], systemd[name]
		require.NotEmpty(t, a.command, name)
		assert.Equal(t, a.command, b.command, name)
		assert.Equal(t, a.command, c.command, name)
		assert.Equal(t, a.grace, b.grace, "%s: time to stop", name)
		assert.Equal(t, a.grace, c.grace, "%s: time to stop", name)

		defaults := defaultsOf(t, name)
		all := map[string]bool{}
		for _, u := range []unit{a, b, c} {
			for setting := range u.settings {
				all[setting] = true
			}
		}
		for setting := range all {
			value := func(u unit) string {
				v, given := u.settings[setting]
				if !given || v == defaults[setting] {
					return "absent"
				}
				return v
			}
			got := []string{value(a), value(b), value(c)}
			e, differs := explained[name+" "+setting]
			if !differs {
				assert.Equal(t, got[0], got[1], "%s: %s in compose and in the chart", name, setting)
				assert.Equal(t, got[0], got[2], "%s: %s in compose and in systemd's units", name, setting)
				continue
			}
			used[name+" "+setting] = true
			assert.Equal(t, []string{e.compose, e.chart, e.systemd}, got, "%s: %s: %s", name, setting, e.why)
		}
	}
	for key := range explained {
		assert.True(t, used[key], "%s is explained, but no longer differs", key)
	}
	assert.ElementsMatch(t, []string{"topics", "migrate", "gateway", "consumer"}, keys(compose))
	assert.Subset(t, keys(systemd), keys(compose))
	assert.Subset(t, keys(chart), keys(compose))
}

func keys[V any](m map[string]V) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	return out
}

var interpolated = regexp.MustCompile(`\$\{[A-Z_]+:-([^}]*)\}`)

// composeUnits are the services of docker-compose.yml that run Sluice's image.
func composeUnits(t *testing.T) map[string]unit {
	t.Helper()
	var file struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Environment map[string]string
			Grace       string `yaml:"stop_grace_period"`
		}
	}
	text := interpolated.ReplaceAllString(read(t, root, "docker-compose.yml"), "$1")
	require.NoError(t, yaml.Unmarshal([]byte(text), &file))
	out := map[string]unit{}
	for name, s := range file.Services {
		if !strings.HasPrefix(s.Image, "sluice:") {
			continue
		}
		u := newUnit(t, s.Command, s.Environment)
		if s.Grace != "" {
			seconds, err := strconv.ParseInt(strings.TrimSuffix(s.Grace, "s"), 10, 64)
			require.NoError(t, err)
			u.grace = seconds
		}
		out[name] = u
	}
	return out
}

// chartUnits are what the chart starts with the least values, by component.
func chartUnits(t *testing.T) map[string]unit {
	t.Helper()
	out := map[string]unit{}
	r := renderSet(t, "minimal")
	add := func(name string, spec corev1.PodSpec) {
		u := unitOf(t, spec.Containers[0])
		if spec.TerminationGracePeriodSeconds != nil {
			u.grace = *spec.TerminationGracePeriodSeconds
		}
		out[strings.TrimPrefix(name, "sluice-")] = u
	}
	for _, d := range all[*appsv1.Deployment](r) {
		add(d.Name, d.Spec.Template.Spec)
	}
	for _, j := range all[*batchv1.Job](r) {
		add(j.Name, j.Spec.Template.Spec)
	}
	return out
}

// settingsFile returns the systemd units' settings file, lists with commas.
func settingsFile(t *testing.T) map[string]string {
	t.Helper()
	var file map[string]yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(read(t, systemdDir, "sluice.yaml")), &file))
	out := map[string]string{}
	for name, node := range file {
		values := []string{node.Value}
		if node.Kind == yaml.SequenceNode {
			values = nil
			for _, item := range node.Content {
				values = append(values, item.Value)
			}
		}
		out[name] = strings.Join(values, ",")
	}
	return out
}

var (
	settingRow     = regexp.MustCompile("(?m)^\\| `--([a-z0-9-]+)` \\| `[A-Z_]+` \\| (?:`([^`]*)`|off)? *\\|")
	settingSection = regexp.MustCompile(`(?s)<!-- ([a-z-]+):begin -->(.*?)<!-- [a-z-]+:end -->`)
)

// defaultsOf returns the defaults of a program's settings, as docs/settings.md has them; tests hold that file
// against the programs. An address that listens everywhere is written without its host.
func defaultsOf(t *testing.T, name string) map[string]string {
	t.Helper()
	sections := map[string][]string{
		"gateway": {"kafka", "gateway"}, "consumer": {"kafka", "consumer"},
		"topics": {"kafka", "sluice-topics"}, "migrate": {"consumer", "consumer-migrate"},
	}[name]
	require.NotEmpty(t, sections, name)
	out := map[string]string{}
	for _, section := range settingSection.FindAllStringSubmatch(read(t, root, "docs", "settings.md"), -1) {
		if slices.Contains(sections, section[1]) {
			for _, row := range settingRow.FindAllStringSubmatch(section[2], -1) {
				out[row[1]] = strings.TrimPrefix(row[2], "0.0.0.0")
			}
		}
	}
	require.Greater(t, len(out), 10)
	return out
}
