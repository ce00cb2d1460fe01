package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

const root = "../../.."

// flags are the flags of all programs.
func flags(t *testing.T) []string {
	t.Helper()
	src := &source{root: root, pkgs: map[string]*pkg{}}
	var out []string
	for _, folder := range []string{gatewayFolder, consumerFolder, sluiceFolder} {
		all, err := src.program(folder)
		require.NoError(t, err)
		require.NotEmpty(t, all, folder)
		for _, s := range all {
			out = append(out, s.flag)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestREADMEIsUpToDate(t *testing.T) {
	is, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	should, err := fill(root, is)
	require.NoError(t, err)
	have := slices.Collect(strings.Lines(string(is)))
	i := 0
	for line := range strings.Lines(string(should)) {
		require.Less(t, i, len(have), "README.md ends early; run: go run ./internal/settings/gen")
		require.Equal(t, line, have[i], "line %d; run: go run ./internal/settings/gen", i+1)
		i++
	}
	require.Len(t, have, i, "README.md has lines too many; run: go run ./internal/settings/gen")
}

// Every setting of every program is in a table, and none has a hole where its default should be.
func TestEverySettingIsInTheTables(t *testing.T) {
	text, err := section(root)
	require.NoError(t, err)
	for _, flag := range flags(t) {
		require.Contains(t, text, "| `--"+flag+"` | `"+settings.Variable(flag)+"` |")
	}
	require.NotContains(t, text, "${", "a default that was not filled in")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| `--") {
			require.NotContains(t, line, "|  |\n", "a setting without help: %s", line)
		}
	}
}

// The list by which programs know each other's settings has no name that no program has.
func TestNoStaleNameInTheSharedList(t *testing.T) {
	require.Equal(t, settings.All(), flags(t), "internal/settings/names.go and the programs' flags differ")
}

func TestDefaultsAreThoseOfTheProgram(t *testing.T) {
	text, err := section(root)
	require.NoError(t, err)
	for _, row := range []string{
		"| `--kafka-brokers` | `SLUICE_KAFKA_BROKERS` | `127.0.0.1:9092` |",
		"| `--admin-addr` | `SLUICE_ADMIN_ADDR` | `0.0.0.0:8081` |",
		"| `--admin-addr` | `SLUICE_ADMIN_ADDR` | `0.0.0.0:8082` |",
		"| `--replication` | `SLUICE_REPLICATION` | `3` |",
		"| `--kafka-tls` | `SLUICE_KAFKA_TLS` | off |",
	} {
		require.Contains(t, text, row)
	}
}

func TestWrite(t *testing.T) {
	wd, err := filepath.Abs(root)
	require.NoError(t, err)
	_, err = fill(wd, []byte("# No markers\n"))
	require.ErrorContains(t, err, "settings:begin")
	require.ErrorContains(t, write(t.TempDir()), "README.md")

	filled, err := fill(wd, []byte("before\n"+begin+"stale\n"+end+"after\n"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(filled), "before\n"+begin+"\n### Every program"))
	require.True(t, strings.HasSuffix(string(filled), end+"after\n"))
	require.NotContains(t, string(filled), "stale")
	again, err := fill(wd, filled)
	require.NoError(t, err)
	require.Equal(t, string(filled), string(again))
}
