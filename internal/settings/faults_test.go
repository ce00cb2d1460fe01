package settings_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A wrong value on the command line or in the environment gives one sentence that names the flag and the place.
func TestWrongValues(t *testing.T) {
	for name, tc := range map[string]struct {
		args, env []string
		want      []string
	}{
		"unknown flag":           {args: []string{"--batch-row=1"}, want: []string{"--batch-row", "--batch-rows"}},
		"unknown command":        {args: []string{"migrat"}, want: []string{"migrat"}},
		"no number":              {args: []string{"--batch-rows=many"}, want: []string{"--batch-rows", `"many"`}},
		"no number, environment": {env: []string{"SLUICE_BATCH_ROWS=many"}, want: []string{"--batch-rows", "environment variable SLUICE_BATCH_ROWS"}},
		"no time, environment":   {env: []string{"SLUICE_FLUSH_AGE=soon"}, want: []string{"--flush-age", "environment variable SLUICE_FLUSH_AGE"}},
		"no days, environment":   {env: []string{"SLUICE_RETENTION=xd"}, want: []string{"--retention", "90d", "environment variable SLUICE_RETENTION"}},
		"not one of few":         {args: []string{"--partition-by=key"}, want: []string{"--partition-by", "none", "project"}},
		"not one of few, environment": {
			env:  []string{"SLUICE_PARTITION_BY=key"},
			want: []string{"--partition-by", "none", "project", "environment variable SLUICE_PARTITION_BY"},
		},
		"unknown variable":        {env: []string{"SLUICE_BATCH_ROW=1"}, want: []string{"SLUICE_BATCH_ROW", "did you mean SLUICE_BATCH_ROWS?"}},
		"nothing like it":         {env: []string{"SLUICE_WEATHER=fine"}, want: []string{"SLUICE_WEATHER", "--help"}},
		"prefix alone":            {env: []string{"SLUICE_=1"}, want: []string{"unknown environment variable SLUICE_"}},
		"lower case":              {env: []string{"SLUICE_batch_rows=1"}, want: []string{"SLUICE_batch_rows", "did you mean SLUICE_BATCH_ROWS?"}},
		"two unknown variables":   {env: []string{"SLUICE_BATCH_ROW=1", "SLUICE_FLUSHAGE=1"}, want: []string{"SLUICE_BATCH_ROW;", "SLUICE_FLUSHAGE;"}},
		"unknown variable, empty": {env: []string{"SLUICE_BATCH_ROW="}, want: []string{"SLUICE_BATCH_ROW"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(tc.args, tc.env...)
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			if !strings.HasPrefix(name, "two ") {
				require.NotContains(t, err.Error(), "\n", "one sentence")
			}
		})
	}
}

func TestWrongFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"unknown key":         {"batch-row: 1", []string{`"batch-row"`, "did you mean batch-rows?"}},
		"variable as key":     {"SLUICE_BATCH_ROWS: 1", []string{"SLUICE_BATCH_ROWS"}},
		"dashes in front":     {"--batch-rows: 1", []string{"--batch-rows", "did you mean batch-rows?"}},
		"no number":           {"batch-rows: many", []string{"--batch-rows", "settings.yaml"}},
		"no time":             {"flush-age: 5", []string{"--flush-age", "settings.yaml"}},
		"not one of few":      {"partition-by: key", []string{"--partition-by", "settings.yaml"}},
		"no switch":           {"kafka-tls: perhaps", []string{"--kafka-tls", "settings.yaml"}},
		"list for one":        {"batch-rows: [1, 2]", []string{"batch-rows", "not a list"}},
		"mapping for one":     {"kafka-group: {name: x}", []string{"kafka-group", "not a mapping"}},
		"mapping in a list":   {"kafka-brokers: [{host: a}]", []string{"kafka-brokers", "not a mapping"}},
		"no value":            {"kafka-group:", []string{"kafka-group", "has no value"}},
		"number as text":      {"kafka-group: 0123", []string{"kafka-group", "quotes"}},
		"number in a list":    {"kafka-brokers: [1]", []string{"kafka-brokers", "quotes"}},
		"its own name":        {"config: other.yaml", []string{`"config"`, "cannot be set in the settings file"}},
		"twice":               {"batch-rows: 1\nbatch-rows: 2", []string{"batch-rows", "settings.yaml"}},
		"a list at the top":   {"- batch-rows", []string{"not a YAML mapping", "settings.yaml"}},
		"a text at the top":   {"batch-rows", []string{"not a YAML mapping", "settings.yaml"}},
		"not YAML":            {"batch-rows: [1", []string{"line 1: not YAML", "settings.yaml"}},
		"every fault at once": {"batch-row: 1\nkafka-group:\n", []string{"batch-row", "kafka-group"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse([]string{file(t, tc.text)})
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing.yaml")
	for _, read := range []func() (program, error){
		func() (program, error) { return parse([]string{"--config", path}) },
		func() (program, error) { return parse([]string{"--config=" + path}) },
		func() (program, error) { return parse(nil, "SLUICE_CONFIG="+path) },
	} {
		_, err := read()
		require.ErrorIs(t, err, os.ErrNotExist)
		require.ErrorContains(t, err, path)
	}
}

func TestEmptyFile(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing yet\n"} {
		p, err := parse([]string{file(t, text)})
		require.NoError(t, err, "%q", text)
		require.Equal(t, "sluice", p.Group)
	}
}

// The error for another fault does not repeat a secret.
func TestNoSecretInErrors(t *testing.T) {
	_, err := parse([]string{file(t, "kafka-group: hunter2\nbatch-rows: many")}, "SLUICE_KAFKA_GROUP=hunter3")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter")
}
