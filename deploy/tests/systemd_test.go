package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const systemdDir = root + "/deploy/systemd"

// service is a unit file: each key of its sections with its values, and the file's text.
type service struct {
	keys map[string][]string
	text string
}

func services(t *testing.T) map[string]service {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(systemdDir, "*.service"))
	require.NoError(t, err)
	out := map[string]service{}
	for _, file := range files {
		s := service{keys: map[string][]string{}, text: read(t, file)}
		section := ""
		for line := range strings.Lines(s.text) {
			line = strings.TrimSpace(line)
			key, value, isKey := strings.Cut(line, "=")
			switch {
			case strings.HasPrefix(line, "#"):
			case strings.HasPrefix(line, "["):
				section = line
			case isKey:
				s.keys[section+key] = append(s.keys[section+key], value)
			}
		}
		out[strings.TrimSuffix(filepath.Base(file), ".service")] = s
	}
	require.GreaterOrEqual(t, len(out), 4)
	return out
}

// get returns the only value of a key of [Service].
func (s service) get(t *testing.T, key string) string {
	t.Helper()
	require.Len(t, s.keys["[Service]"+key], 1, key)
	return s.keys["[Service]"+key][0]
}

// unit returns what the service starts, with the settings file's values.
func (s service) unit(t *testing.T) unit {
	t.Helper()
	env := map[string]string{}
	for _, e := range s.keys["[Service]Environment"] {
		name, value, _ := strings.Cut(e, "=")
		env[name] = value
	}
	u := newUnit(t, strings.Fields(s.get(t, "ExecStart")), env)
	require.Equal(t, "/etc/sluice/sluice.yaml", u.settings["config"])
	delete(u.settings, "config")
	flags := flagsOf(t, u.command)
	for name, value := range settingsFile(t) {
		if _, given := u.settings[name]; !given && slices.Contains(flags, name) {
			u.settings[name] = value
		}
	}
	if stop := s.keys["[Service]TimeoutStopSec"]; stop != nil {
		seconds, err := strconv.ParseInt(stop[0], 10, 64)
		require.NoError(t, err)
		u.grace = seconds
	}
	return u
}

// Every unit is as confined as every other, and none keeps a secret in its file.
func TestUnitsAreHardened(t *testing.T) {
	t.Parallel()
	for name, s := range services(t) {
		for key, want := range map[string]string{
			"DynamicUser": "yes", "NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes",
			"PrivateDevices": "yes", "MemoryDenyWriteExecute": "yes", "CapabilityBoundingSet": "", "AmbientCapabilities": "",
			"RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX", "RestrictNamespaces": "yes", "SystemCallArchitectures": "native",
			"ProtectKernelTunables": "yes", "ProtectControlGroups": "yes", "LockPersonality": "yes", "UMask": "0077",
		} {
			assert.Equal(t, want, s.get(t, key), "%s: %s", name, key)
		}
		assert.Equal(t, []string{"@system-service", "~@privileged @resources"}, s.keys["[Service]SystemCallFilter"], name)
		assert.NotRegexp(t, userinfo, s.text, name)
		for _, e := range s.keys["[Service]Environment"] {
			variable, _, _ := strings.Cut(e, "=")
			assert.NotRegexp(t, secretVariable, variable, name)
		}
		if s.get(t, "Type") == "oneshot" {
			continue
		}
		assert.Equal(t, "always", s.get(t, "Restart"), name)
		assert.Equal(t, []string{"0"}, s.keys["[Unit]StartLimitIntervalSec"],
			"%s: systemd would give up after five restarts", name)
		files, err := strconv.Atoi(s.get(t, "LimitNOFILE"))
		require.NoError(t, err)
		assert.GreaterOrEqual(t, files, map[string]int{"sluice-gateway": 16384 + 4096}[name],
			"%s: --max-connections and more", name)
	}
}

// Every setting that a unit or the settings file names is one that a program has, and the programs accept them.
func TestUnitsSettingsAreAccepted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	projects := filepath.Join(dir, "projects.yaml")
	require.NoError(t, os.WriteFile(projects, []byte(oneProject), 0o600))
	dsn := filepath.Join(dir, "clickhouse-dsn")
	require.NoError(t, os.WriteFile(dsn, []byte("clickhouse://u:p@127.0.0.1:1/sluice"), 0o600))
	settings := strings.NewReplacer("/etc/sluice/projects.yaml", projects, "kafka:9092", "127.0.0.1:1").
		Replace(read(t, systemdDir, "sluice.yaml"))
	config := filepath.Join(dir, "sluice.yaml")
	require.NoError(t, os.WriteFile(config, []byte(settings), 0o600))

	for name, s := range services(t) {
		u := s.unit(t)
		flags := flagsOf(t, u.command)
		for setting := range u.settings {
			assert.Contains(t, flags, setting, name)
		}
		var args []string
		switch name {
		case "sluice-gateway", "sluice-consumer":
			args = []string{"check"}
		case "sluice-migrate":
			args = []string{"migrate", "--dry-run"}
		default:
			continue
		}
		out, err := program(t, []string{"SLUICE_CONFIG=" + config, "SLUICE_CLICKHOUSE_DSN_FILE=" + dsn}, u.command[0], args...)
		assert.NoError(t, err, "%s: %s", name, out)
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// systemd itself understands the units, and finds little that they may do.
func TestSystemdAcceptsTheUnits(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is missing; apt-get install systemd")
		}
		t.Skip("systemd-analyze is not on the path: Debian's package systemd has it")
	}
	dir := t.TempDir()
	programs, err := buildPrograms()
	require.NoError(t, err)
	for name, s := range services(t) {
		file := filepath.Join(dir, name+".service")
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(s.text, "/usr/local/bin", programs)), 0o600))
	}
	for name := range services(t) {
		file := filepath.Join(dir, name+".service")
		out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", file).CombinedOutput()
		assert.NoError(t, err, "%s: %s", name, out)
		assert.NotContains(t, string(out), file, "a complaint about the unit")
		out, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", file).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
		found := exposure.FindStringSubmatch(string(out))
		require.NotNil(t, found, "%s: %s", name, out)
		level, err := strconv.ParseFloat(found[1], 64)
		require.NoError(t, err)
		assert.LessOrEqual(t, level, 1.5, "%s: %s", name, out)
	}
}
