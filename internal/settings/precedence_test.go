package settings_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// Each source alone, and every pair in the order of precedence: flag, environment, file, default.
func TestPrecedence(t *testing.T) {
	const flag, env, text = "--kafka-group=flag", "SLUICE_KAFKA_GROUP=env", "kafka-group: file"
	for name, tc := range map[string]struct {
		args, env []string
		file      string
		want      string
	}{
		"default":                   {want: "sluice"},
		"file over default":         {file: text, want: "file"},
		"environment over default":  {env: []string{env}, want: "env"},
		"flag over default":         {args: []string{flag}, want: "flag"},
		"environment over file":     {env: []string{env}, file: text, want: "env"},
		"flag over file":            {args: []string{flag}, file: text, want: "flag"},
		"flag over environment":     {args: []string{flag}, env: []string{env}, want: "flag"},
		"flag over both":            {args: []string{flag}, env: []string{env}, file: text, want: "flag"},
		"empty variable is not set": {env: []string{"SLUICE_KAFKA_GROUP="}, want: "sluice"},
		"empty variable over file":  {env: []string{"SLUICE_KAFKA_GROUP="}, file: text, want: "file"},
		"flag before its command":   {args: []string{flag, "run"}, env: []string{env}, want: "flag"},
		"flag after its command":    {args: []string{"run", flag}, env: []string{env}, want: "flag"},
		"other names are not ours":  {env: []string{"KAFKA_GROUP=other", "PATH=/bin"}, want: "sluice"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.file != "" {
				tc.args = append(tc.args, file(t, tc.file))
			}
			p, err := parse(tc.args, tc.env...)
			require.NoError(t, err)
			require.Equal(t, tc.want, p.Group)
		})
	}
}

// A flag or a variable with the value of the default still overrides the file.
func TestDefaultGivenOnPurpose(t *testing.T) {
	p, err := parse([]string{"--batch-rows=1", file(t, "batch-rows: 7\nkafka-tls: true")}, "SLUICE_KAFKA_TLS=false")
	require.NoError(t, err)
	require.Equal(t, 1, p.Rows)
	require.False(t, p.TLS)
}

func TestFileNamedByTheEnvironment(t *testing.T) {
	path := strings.TrimPrefix(file(t, "batch-rows: 7"), "--config=")
	p, err := parse(nil, "SLUICE_CONFIG="+path)
	require.NoError(t, err)
	require.Equal(t, 7, p.Rows)

	p, err = parse([]string{"--config", path}, "SLUICE_CONFIG=/nowhere/at/all.yaml")
	require.NoError(t, err, "the flag names the file that is read")
	require.Equal(t, 7, p.Rows)
}

func TestValuesOfEachKind(t *testing.T) {
	want := program{
		Group: "g", Rows: 5, Rate: 2.5, TLS: true, Flush: 250 * time.Millisecond,
		Keep: settings.Duration(30 * 24 * time.Hour), Brokers: []string{"a:1", "b:2"}, By: "project",
	}
	for name, read := range map[string]func(t *testing.T) (program, error){
		"flags": func(*testing.T) (program, error) {
			return parse([]string{
				"--kafka-group=g", "--batch-rows=5", "--inserts-per-second=2.5", "--kafka-tls", "--flush-age=250ms",
				"--retention=30d", "--kafka-brokers=a:1,b:2", "--partition-by=project",
			})
		},
		"environment": func(*testing.T) (program, error) {
			return parse(nil, "SLUICE_KAFKA_GROUP=g", "SLUICE_BATCH_ROWS=5", "SLUICE_INSERTS_PER_SECOND=2.5",
				"SLUICE_KAFKA_TLS=true", "SLUICE_FLUSH_AGE=250ms", "SLUICE_RETENTION=30d", "SLUICE_KAFKA_BROKERS=a:1,b:2",
				"SLUICE_PARTITION_BY=project")
		},
		"file": func(t *testing.T) (program, error) {
			return parse([]string{file(t, "kafka-group: g\nbatch-rows: 5\ninserts-per-second: 2.5\nkafka-tls: true\n"+
				"flush-age: 250ms\nretention: 30d\nkafka-brokers: [a:1, b:2]\npartition-by: project\n")})
		},
		"file, list as text": func(t *testing.T) (program, error) {
			return parse([]string{file(t, "kafka-group: \"g\"\nbatch-rows: 5\ninserts-per-second: 2.5\nkafka-tls: yes\n"+
				"flush-age: 0.25s\nretention: 720h\nkafka-brokers: a:1,b:2\npartition-by: project\n")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := read(t)
			require.NoError(t, err)
			got.Config = ""
			require.Equal(t, want, got)
		})
	}
}

func TestSwitchInTheEnvironment(t *testing.T) {
	for text, want := range map[string]bool{
		"true": true, "1": true, "yes": true, "false": false, "0": false, "no": false, "": false,
	} {
		p, err := parse(nil, "SLUICE_KAFKA_TLS="+text)
		require.NoError(t, err, text)
		require.Equal(t, want, p.TLS, text)
	}
	_, err := parse(nil, "SLUICE_KAFKA_TLS=perhaps")
	require.ErrorContains(t, err, "--kafka-tls")
	require.ErrorContains(t, err, "SLUICE_KAFKA_TLS")
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}, {"migrate", "--help"}} {
		var p program
		src := source(args, nil)
		_, err := settings.Parse("program", "Tries settings.", &p, src, kong.Vars{"group": "sluice"})
		require.ErrorIs(t, err, settings.ErrHelp, "%v", args)
		require.Contains(t, src.Stdout.(*bytes.Buffer).String(), "--batch-rows", "%v", args)
	}
}
