package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/testcommand"
)

// check connects to nothing, reports every fault, and repeats no secret.
func TestCheck(t *testing.T) {
	out, err := try(t, []string{"check", "--kafka-brokers=" + testcommand.Nobody(t), "--clickhouse-dsn=clickhouse://u:p@" + testcommand.Nobody(t) + "/x"})
	require.NoError(t, err)
	require.Equal(t, "no faults in the settings\n", out)

	_, err = try(t, []string{
		"check", `--kafka-brokers="a:1"`, "--kafka-topic=a b", "--kafka-group= x", "--batch-rows=0", "--drain-timeout=0s", "--admin-addr=x",
		"--clickhouse-dsn=clickhouse://u:hunter2@h:0/x", "--kafka-sasl-mechanism=PLAIN", "--kafka-sasl-username=u", "--kafka-sasl-password-file=/nowhere/p",
	})
	require.Error(t, err)
	for _, want := range []string{
		"--kafka-brokers", "--kafka-topic", "--kafka-group", "--batch-rows", "--drain-timeout", "--admin-addr", "--clickhouse-dsn", "--kafka-sasl-password-file",
	} {
		require.ErrorContains(t, err, want)
	}
	require.Equal(t, 7, strings.Count(err.Error(), "\n"), "a line a fault: %v", err)
	require.NotContains(t, err.Error(), "hunter2")
}

func TestCheckRefusesWhatCannotWork(t *testing.T) {
	for name, tc := range map[string]struct {
		args, env []string
		want      string
	}{
		"group with a line break":   {env: []string{"SLUICE_KAFKA_GROUP=sluice\n"}, want: "--kafka-group"},
		"group in quotes":           {env: []string{`SLUICE_KAFKA_GROUP="sluice"`}, want: "--kafka-group"},
		"longest group":             {args: []string{"--kafka-group=" + strings.Repeat("g", 249)}},
		"too long a group":          {args: []string{"--kafka-group=" + strings.Repeat("g", 250)}, want: "--kafka-group"},
		"DSN in quotes":             {env: []string{`SLUICE_CLICKHOUSE_DSN="clickhouse://u:hunter2@h:9000/x"`}, want: "--clickhouse-dsn"},
		"DSN with a line break":     {env: []string{"SLUICE_CLICKHOUSE_DSN=clickhouse://u:hunter2@h:9000/x\n"}, want: "--clickhouse-dsn"},
		"DSN, port 0":               {args: []string{"--clickhouse-dsn=clickhouse://u:hunter2@h:0/x"}, want: "--clickhouse-dsn"},
		"DSN, port 65536":           {args: []string{"--clickhouse-dsn=clickhouse://u:hunter2@h:65536/x"}, want: "--clickhouse-dsn"},
		"DSN, second server":        {args: []string{"--clickhouse-dsn=clickhouse://u:hunter2@a:9000,b:99999/x"}, want: "--clickhouse-dsn"},
		"DSN, host":                 {args: []string{`--clickhouse-dsn=clickhouse://u:hunter2@"h":9000/x`}, want: "--clickhouse-dsn"},
		"DSN without a port":        {args: []string{"--clickhouse-dsn=clickhouse://u:hunter2@h/x"}},
		"DSN, IPv6":                 {args: []string{"--clickhouse-dsn=clickhouse://u:hunter2@[::1]:9000/x"}},
		"hexadecimal rows":          {env: []string{"SLUICE_BATCH_ROWS=0x10"}, want: "--batch-rows"},
		"rows with an underscore":   {args: []string{"--batch-rows=1_000"}, want: "--batch-rows"},
		"rate with an exponent":     {args: []string{"--inserts-per-second=1e1"}, want: "--inserts-per-second"},
		"retention without a unit":  {env: []string{"SLUICE_RETENTION=90"}, want: "--retention"},
		"flush age without a unit":  {args: []string{"--flush-age=5"}, want: "--flush-age"},
		"URL in place of a broker":  {args: []string{"--kafka-brokers=https://u:hunter2@kafka:9092"}, want: "--kafka-brokers"},
		"admin address, line break": {env: []string{"SLUICE_ADMIN_ADDR=:8082\n"}, want: "--admin-addr"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := try(t, append([]string{"check"}, tc.args...), tc.env...)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}
