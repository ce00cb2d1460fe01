package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
	"sluice/internal/testcommand"
)

// The error for a wrong setting is one sentence that names the setting. Nothing was started or created by then.
func TestWrongSettings(t *testing.T) {
	data := "--data-dir=" + t.TempDir()
	for name, tc := range map[string]struct {
		args, env []string
		want      []string
	}{
		"no command":           {want: []string{"dev"}},
		"unknown command":      {args: []string{"lode"}, want: []string{"lode"}},
		"unknown flag":         {args: []string{"dev", "--data-dri=x"}, want: []string{"--data-dri", "--data-dir"}},
		"unknown variable":     {args: []string{"keys", "new"}, env: []string{"SLUICE_DATA_DRI=x"}, want: []string{"SLUICE_DATA_DRI", "SLUICE_DATA_DIR?"}},
		"dev, broken setting":  {args: []string{"dev", data, "--max-event-bytes=0"}, want: []string{"--max-event-bytes"}},
		"dev, no broker":       {args: []string{"dev", data, "--kafka=kafka"}, want: []string{"--kafka-brokers", `"kafka" is not host:port`}},
		"dev, no DSN":          {args: []string{"dev", data, "--clickhouse=u:hunter2@host"}, want: []string{"--clickhouse-dsn"}},
		"topics, more ISR":     {args: []string{"topics", "check", "--replication=1", "--min-isr=2"}, want: []string{"--min-isr: 1 to --replication (1), not 2"}},
		"topics, one for both": {args: []string{"topics", "apply", "--kafka-topic=a", "--kafka-dead-topic=a"}, want: []string{"--kafka-dead-topic"}},
		"topics, nobody there": {args: []string{"topics", "apply", "--kafka-brokers=" + testcommand.Nobody(t)}, want: []string{"kafka at [127.0.0.1:", "connection refused", "--kafka-brokers"}},
		"load, no URL":         {args: []string{"load", "--url=host"}, want: []string{"--url"}},
		"load, nobody there":   {args: []string{"load", "--url=http://" + testcommand.Nobody(t), "--connect-timeout=100ms"}, want: []string{"connection refused"}},
		"load, verify, no ClickHouse": {
			args: []string{"load", "--verify", "--clickhouse=clickhouse://u:hunter2@" + testcommand.Nobody(t), "--url=http://" + testcommand.Nobody(t), "--connect-timeout=100ms"},
			want: []string{"127.0.0.1"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try(t, tc.args, tc.env...)
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "\n", "one sentence")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

// A command ignores faults in the settings of other commands.
func TestACommandMindsItsOwnSettings(t *testing.T) {
	_, err := try(t, []string{"keys", "new"}, "SLUICE_URL=nonsense", "SLUICE_MIN_ISR=0", "SLUICE_HTTP_ADDR=nonsense")
	require.NoError(t, err)
}

func TestHelpOfEachCommand(t *testing.T) {
	for command, flag := range map[string]string{
		"dev": "--data-dir", "load": "--verify", "topics": "--partitions", "topics apply": "--min-isr", "keys": "new", "keys new": "--name",
	} {
		out, err := try(t, append(strings.Fields(command), "--help"))
		require.ErrorIs(t, err, settings.ErrHelp, command)
		require.Contains(t, out, flag, command)
	}
}
