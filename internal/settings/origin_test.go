package settings_test

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// Origins returns the flags given and their sources, without flags that have their default.
func TestOrigins(t *testing.T) {
	config := file(t, "retention: 30d\nbatch-rows: 5\n")
	src := source([]string{config, "--kafka-group=a", "--batch-rows=7"}, []string{"SLUICE_FLUSH_AGE=2s", "SLUICE_BATCH_ROWS=6", "SLUICE_PARTITION_BY="})
	var p program
	parsed, err := settings.Parse("program", "Tries settings.", &p, src, kong.Vars{"group": "sluice"})
	require.NoError(t, err)
	path := strings.TrimPrefix(config, "--config=")
	require.Equal(t, map[string]settings.Origin{
		"config":      {CommandLine: true, Place: "--config"},
		"kafka-group": {CommandLine: true, Place: "--kafka-group"},
		"batch-rows":  {CommandLine: true, Place: "--batch-rows"},
		"flush-age":   {Place: "environment variable SLUICE_FLUSH_AGE"},
		"retention":   {Place: "retention in " + path},
	}, settings.Origins(parsed, src))
}
