package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// settingsText is docs/settings.md. The tests of the programs hold its tables against the programs.
func settingsText(t *testing.T) string {
	t.Helper()
	root, err := Root()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "settings.md"))
	require.NoError(t, err)
	return string(text)
}

var settingsRow = regexp.MustCompile("(?m)^\\| `--([a-z-]+)` \\| `([A-Z_]+)` \\|")

// No table has a hole where a default or a help text should be, and each setting has its variable.
func TestSettingsTablesAreWhole(t *testing.T) {
	text := settingsText(t)
	rows := settingsRow.FindAllStringSubmatch(text, -1)
	require.Greater(t, len(rows), 80)
	for _, row := range rows {
		require.Equal(t, settings.Variable(row[1]), row[2])
	}
	require.NotContains(t, text, "${", "a default that was not filled in")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "| `--") {
			require.NotContains(t, line, "|  |\n", "a setting without help: %s", line)
		}
	}
}

// The list by which programs know each other's settings has every name in the tables, and no name that no program has.
func TestNoStaleNameInTheSharedList(t *testing.T) {
	var flags []string
	for _, row := range settingsRow.FindAllStringSubmatch(settingsText(t), -1) {
		flags = append(flags, row[1])
	}
	slices.Sort(flags)
	require.Equal(t, settings.All(), slices.Compact(flags), "internal/settings/names.go and the programs' flags differ")
}

func TestDefaultsAreThoseOfTheProgram(t *testing.T) {
	text := settingsText(t)
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

// docs/api.md tells senders the limits that they meet. A default that changes here changes there.
func TestDefaultsInAPI(t *testing.T) {
	text, api := settingsText(t), texts(t)["docs/api.md"]
	for _, limit := range []struct{ row, said string }{
		{"| `--max-event-bytes` | `SLUICE_MAX_EVENT_BYTES` | `1048576` |", "1 MiB (`--max-event-bytes`)"},
		{"| `--max-bulk-bytes` | `SLUICE_MAX_BULK_BYTES` | `5242880` |", "5 MiB (`--max-bulk-bytes`)"},
		{"| `--max-header-bytes` | `SLUICE_MAX_HEADER_BYTES` | `16384` |", "16 KiB (`--max-header-bytes`)"},
		{"| `--failed-keys-per-minute` | `SLUICE_FAILED_KEYS_PER_MINUTE` | `120000` |",
			"120,000 in a minute (`--failed-keys-per-minute`)"},
	} {
		require.Contains(t, text, limit.row)
		require.Contains(t, api, limit.said)
	}
}
