package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer"
	"sluice/internal/docs"
	"sluice/internal/plan"
	"sluice/internal/process"
	"sluice/internal/settings"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	out, err := try(t, []string{"plan", "--events-per-second=10000", "--bulk=100", "--gzip"})
	require.NoError(t, err)
	for _, want := range []string{"gateway\n", "partitions", "busy cores", "per million events", "to inflate it"} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "warning:")

	out, err = try(t, []string{"plan", "--events-per-second=10000", "--json"})
	require.NoError(t, err)
	var p plan.Plan
	require.NoError(t, json.Unmarshal([]byte(out), &p))
	require.GreaterOrEqual(t, p.Gateway.Instances, 2)
	require.NotEmpty(t, p.Why)
}

// Settings can come from the file, also those that other programs have too.
func TestPlanFromAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "sluice.yaml")
	text := "events-per-second: 5000\nretention: 30d\nprice-core-hour: 2\nflush-age: 1s\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	out, err := try(t, []string{"plan", "--config=" + file, "--json"}, "SLUICE_REPLICAS=1")
	require.NoError(t, err)
	var p plan.Plan
	require.NoError(t, json.Unmarshal([]byte(out), &p))
	require.InDelta(t, 30*86_400, p.Seconds.Retention, 0)
	require.InDelta(t, 2, p.Load.CoreHour, 0)
	require.Equal(t, 1, p.Load.Replicas)
}

func TestPlanWarnings(t *testing.T) {
	t.Parallel()
	args := []string{"plan", "--events-per-second=10", "--gateways=1"}
	out, err := try(t, args)
	require.NoError(t, err, "a warning is no failure")
	require.Contains(t, out, "warning: with one gateway")
	out, err = try(t, append(args, "--strict"))
	require.ErrorIs(t, err, process.ErrReported)
	require.Contains(t, out, "warning: with one gateway")
	_, err = try(t, []string{"plan", "--events-per-second=10", "--strict"})
	require.NoError(t, err)
}

func TestPlanFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	figures := filepath.Join(dir, "figures.json")
	require.NoError(t, os.WriteFile(figures, []byte("{}"), 0o600))
	const rate = "--events-per-second=1"
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no rate":             {nil, "--events-per-second: above 0"},
		"rate of 0":           {[]string{"--events-per-second=0"}, "--events-per-second: above 0"},
		"negative rate":       {[]string{"--events-per-second=-1"}, "--events-per-second: above 0"},
		"absurd rate":         {[]string{"--events-per-second=1000000000000"}, "at most 1000000000, not 1000000000000"},
		"no number":           {[]string{"--events-per-second=many"}, "--events-per-second"},
		"NaN":                 {[]string{"--events-per-second=NaN"}, "--events-per-second"},
		"no unit":             {[]string{rate, "--retention=90"}, "--retention"},
		"a bulk too large":    {[]string{rate, "--bulk=10000"}, "--bulk 10000 of --event-bytes 1000 exceeds"},
		"save what":           {[]string{rate, "--save=" + filepath.Join(dir, "x")}, "--save goes with --measure"},
		"figures and measure": {[]string{rate, "--measure", "--figures=" + figures}, "exclude each other"},
		"table and JSON":      {[]string{"--table", "--json"}, "exclude each other"},
		"no figures":          {[]string{rate, "--figures=" + filepath.Join(dir, "none")}, "--figures: open "},
		"empty figures":       {[]string{rate, "--figures=" + figures}, "not figures of sluice plan"},
		"faulty table":        {[]string{"--table", "--headroom=1"}, "--headroom: 0 to 0.9, not 1"},
		"before a measurement": {[]string{"--measure", rate, "--replicas=0"},
			"--replicas: 1 to 100, not 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := try(t, append([]string{"plan"}, tc.args...))
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "\n", "one sentence")
			require.Empty(t, out)
		})
	}
}

// The bounds of inserts that the plan reckons with are the consumer's.
func TestPlanKnowsTheConsumer(t *testing.T) {
	t.Parallel()
	defaults := map[string]string{}
	for _, f := range docs.Model(t, &struct {
		consumer.Config `embed:""`
	}{}, vars).Flags {
		defaults[f.Name] = f.Default
	}
	for flag, want := range map[string]any{
		"inserts-per-second": plan.DefaultInserts, "batch-rows": plan.DefaultBatchRows,
		"batch-bytes": plan.DefaultBatchBytes,
	} {
		text, err := json.Marshal(want)
		require.NoError(t, err)
		require.Equal(t, string(text), defaults[flag], flag)
	}
}

func TestPlanHelp(t *testing.T) {
	t.Parallel()
	out, err := try(t, []string{"plan", "--help"})
	require.ErrorIs(t, err, settings.ErrHelp)
	for _, flag := range []string{"--measure", "--events-per-second", "--price-core-hour", "--table"} {
		require.Contains(t, strings.ReplaceAll(out, "\n", " "), flag)
	}
}
