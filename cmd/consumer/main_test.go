package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/testcommand"
)

// The error for a wrong setting is one sentence that names the setting and never repeats a password.
func TestWrongSettings(t *testing.T) {
	dsnFile := filepath.Join(t.TempDir(), "dsn")
	require.NoError(t, os.WriteFile(dsnFile, []byte("hunter2 is no DSN\n"), 0o600))
	for name, tc := range map[string]struct {
		args, env []string
		want      []string
	}{
		"unknown flag":             {args: []string{"--batch-row=1"}, want: []string{"--batch-row", "--batch-rows"}},
		"unknown variable":         {env: []string{"SLUICE_BATCH_ROW=1"}, want: []string{"SLUICE_BATCH_ROW", "SLUICE_BATCH_ROWS?"}},
		"command's flag alone":     {args: []string{"--dry-run"}, want: []string{"--dry-run"}},
		"two ways at once":         {args: []string{"migrate", "--dry-run", "--status"}, want: []string{"--dry-run", "--status"}},
		"no rows":                  {args: []string{"--batch-rows=0"}, want: []string{"--batch-rows"}},
		"no group":                 {args: []string{"--kafka-group="}, want: []string{"--kafka-group"}},
		"no broker address":        {args: []string{"--kafka-brokers=kafka"}, want: []string{"--kafka-brokers", `"kafka" is not host:port`}},
		"cluster's name":           {args: []string{"migrate", "--clickhouse-cluster={cluster}"}, want: []string{"--clickhouse-cluster"}},
		"no quorum":                {args: []string{"--clickhouse-quorum=0"}, want: []string{"--clickhouse-quorum"}},
		"Cloud, not dry":           {args: []string{"migrate", "--cloud"}, want: []string{"--cloud", "--dry-run"}},
		"Cloud and a cluster":      {args: []string{"migrate", "--dry-run", "--cloud", "--clickhouse-cluster=c"}, want: []string{"--cloud", "--clickhouse-cluster"}},
		"short retention":          {args: []string{"migrate", "--retention=1h"}, want: []string{"--retention: at least 1d"}},
		"no retention":             {args: []string{"migrate", "--retention=0"}, want: []string{"--retention: at least 1d"}},
		"retention of no days":     {env: []string{"SLUICE_RETENTION=0d"}, want: []string{"--retention: at least 1d"}},
		"negative retention":       {args: []string{"migrate", "--retention=-90d"}, want: []string{"--retention"}},
		"retention, no unit":       {args: []string{"migrate", "--retention=90"}, want: []string{"--retention", "90d"}},
		"retention beyond 2106":    {args: []string{"migrate", "--retention=36500d"}, want: []string{"--retention", "at most 18250d"}},
		"project without a time":   {args: []string{"migrate", "--project-retention=shop"}, want: []string{"--project-retention: entry 1 is not PROJECT=TIME"}},
		"project's short time":     {args: []string{"migrate", "--project-retention=shop=1h"}, want: []string{"--project-retention: shop: at least 1d"}},
		"project's time, variable": {env: []string{"SLUICE_PROJECT_RETENTION=shop=7"}, want: []string{"--project-retention: shop: 7 has no unit"}},
		"counts' short time":       {args: []string{"migrate", "--outcomes-retention=1h"}, want: []string{"--outcomes-retention: at least 1d"}},
		"column of no type":        {args: []string{"columns", "add", "plan", "Text", "from", "a"}, want: []string{`unknown type "Text"`, "LowCardinality(String)"}},
		"column of ours":           {args: []string{"columns", "add", "level", "String", "from", "a"}, want: []string{"level", "my_level"}},
		"column from nowhere":      {args: []string{"columns", "add", "plan", "String", "from", "a..b"}, want: []string{"a key is missing", "byte 2"}},
		"column without from":      {args: []string{"columns", "add", "plan", "String", "of", "a"}, want: []string{"add NAME TYPE from PATH"}},
		"column without a path":    {args: []string{"columns", "add", "plan", "String", "from"}, want: []string{"<path>"}},
		"column, dry and JSON":     {args: []string{"columns", "add", "plan", "String", "from", "a", "--dry-run", "--json"}, want: []string{"--dry-run", "--json"}},
		"no name to remove":        {args: []string{"columns", "remove"}, want: []string{"<name>"}},
		"columns of nobody": {
			args: []string{"columns", "list", "--clickhouse-dsn=clickhouse://u:hunter2@" + testcommand.Nobody(t) + "/x"},
			want: []string{"clickhouse at 127.0.0.1:", "connection refused", "--clickhouse-dsn"},
		},
		"permission, no migration": {args: []string{"--shorten-retention"}, want: []string{"--shorten-retention"}},
		"no DSN":                   {args: []string{"--clickhouse-dsn=clickhouse://u:hunter2@"}, want: []string{"--clickhouse-dsn", "clickhouse://user:password@host"}},
		"not a DSN":                {args: []string{"--clickhouse-dsn=u:hunter2@host:9000"}, want: []string{"--clickhouse-dsn"}},
		"broken DSN":               {args: []string{"migrate", "--clickhouse-dsn=clickhouse://u:hunter2@%zz:9000/x"}, want: []string{"--clickhouse-dsn"}},
		"broken DSN, variable":     {env: []string{"SLUICE_CLICKHOUSE_DSN=u:hunter2@host"}, want: []string{"--clickhouse-dsn"}},
		"broken DSN, file":         {args: []string{"--clickhouse-dsn-file=" + dsnFile}, want: []string{"--clickhouse-dsn-file"}},
		"missing DSN file":         {args: []string{"--clickhouse-dsn-file=/nowhere/dsn"}, want: []string{"--clickhouse-dsn-file", "no such file"}},
		"database with quotes":     {args: []string{"--clickhouse-dsn=clickhouse://u:hunter2@host:9000/a'b"}, want: []string{"--clickhouse-dsn", "database"}},
		"nobody to migrate": {
			args: []string{"migrate", "--clickhouse-dsn=clickhouse://u:hunter2@" + testcommand.Nobody(t) + "/x"},
			want: []string{"clickhouse at 127.0.0.1:", "connection refused", "--clickhouse-dsn"},
		},
		"nobody to ask for the schema": {
			args: []string{"migrate", "--status", "--clickhouse-dsn=clickhouse://u:hunter2@" + testcommand.Nobody(t) + "/x"},
			want: []string{"clickhouse at 127.0.0.1:", "connection refused", "--clickhouse-dsn"},
		},
		"occupied admin port":      {args: []string{"--admin-addr=" + testcommand.Occupied(t)}, want: []string{"--admin-addr", "in use"}},
		"nobody to ask for health": {args: []string{"health", "--admin-addr=" + testcommand.Nobody(t)}, want: []string{"readiness"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := try(t, tc.args, tc.env...)
			require.Error(t, err)
			require.Empty(t, out)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "\n", "one sentence")
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestDryRunPrintsTheSchemaWithoutAServer(t *testing.T) {
	out, err := try(t, []string{"migrate", "--dry-run", "--retention=30d", "--clickhouse-dsn=clickhouse://u:hunter2@" + testcommand.Nobody(t) + "/other"})
	require.NoError(t, err)
	for _, want := range []string{
		"CREATE DATABASE IF NOT EXISTS other", "CREATE TABLE IF NOT EXISTS events_raw", "CREATE VIEW IF NOT EXISTS events",
		"toIntervalSecond(2592000)",
	} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "hunter2")
	require.Less(t, strings.Index(out, "CREATE DATABASE"), strings.Index(out, "CREATE TABLE"))
}

func TestDryRunForOthers(t *testing.T) {
	out, err := try(t, []string{"migrate", "--dry-run", "--clickhouse-cluster=prod", "--clickhouse-dsn=clickhouse://" + testcommand.Nobody(t)})
	require.NoError(t, err)
	require.Contains(t, out, "CREATE TABLE IF NOT EXISTS events_local ON CLUSTER 'prod'")
	require.Contains(t, out, "ENGINE = Distributed('prod', 'sluice', 'events_local'")
	out, err = try(t, []string{"migrate", "--dry-run", "--cloud"})
	require.NoError(t, err)
	require.NotContains(t, out, "ON CLUSTER")
	require.NotContains(t, out, "fsync_after_insert =")
}

func TestDryRunOfGrants(t *testing.T) {
	server := "--clickhouse-dsn=clickhouse://u:hunter2@" + testcommand.Nobody(t) + "/other"
	dry := func(args []string, env ...string) string {
		t.Helper()
		out, err := try(t, append([]string{"migrate", "--dry-run", server}, args...), env...)
		require.NoError(t, err)
		require.NotContains(t, out, "hunter2")
		return out
	}
	require.NotContains(t, dry(nil), "CREATE ROLE", "only on demand")
	flags := dry([]string{"--grants", "--analysts=shop=shop,checkout", "--analysts=all=*", "--analyst-max-time=30s"})
	for _, want := range []string{
		"CREATE VIEW IF NOT EXISTS events", "CREATE ROLE IF NOT EXISTS ingest;", "CREATE ROLE IF NOT EXISTS analyst_all;",
		"ON other.events_raw USING project_id IN ('checkout', 'shop') AS PERMISSIVE TO analyst_shop;",
		"max_execution_time = 30 MIN 1 MAX 35 CHANGEABLE_IN_READONLY", "GRANT SELECT ON other.events TO analyst;",
	} {
		require.Contains(t, flags, want)
	}
	require.Less(t, strings.Index(flags, "CREATE VIEW"), strings.Index(flags, "CREATE ROLE"), "the schema comes first")
	require.Equal(t, flags, dry(nil, "SLUICE_GRANTS=true", "SLUICE_ANALYSTS=shop=shop,checkout;all=*", "SLUICE_ANALYST_MAX_TIME=30s"))
	file := filepath.Join(t.TempDir(), "consumer.yaml")
	require.NoError(t, os.WriteFile(file, []byte("grants: true\nanalysts: [\"shop=shop,checkout\", \"all=*\"]\nanalyst-max-time: 30s\n"), 0o600))
	require.Equal(t, flags, dry([]string{"--config=" + file}))
	cluster := dry([]string{"--grants", "--clickhouse-cluster=prod"})
	require.Contains(t, cluster, "GRANT ON CLUSTER 'prod' INSERT, SELECT ON other.events_local TO ingest;")
	require.Contains(t, cluster, "ON CLUSTER 'prod' ON other.events_local USING 0 AS PERMISSIVE TO analyst;")

	for _, tc := range []struct{ flag, want string }{
		{"--analysts=shop=shop", "need --grants"}, {"--analysts=shop", "--analysts"}, {"--role-prefix=1", "--role-prefix"},
		{"--analyst-max-time=999ms", "--analyst-max-time"}, {"--analyst-max-time=25h", "--analyst-max-time"},
		{"--analyst-max-memory=104857599", "--analyst-max-memory"}, {"--analyst-max-queries=0", "--analyst-max-queries"},
		{"--analyst-max-rows-read=-1", "--analyst-max-rows-read"}, {"--analyst-max-result-rows=x", "--analyst-max-result-rows"},
	} {
		args := []string{"migrate", "--dry-run", server, tc.flag}
		if tc.want != "need --grants" {
			args = append(args, "--grants")
		}
		_, err := try(t, args)
		require.ErrorContains(t, err, tc.want, tc.flag)
	}
	for _, good := range []string{"--analyst-max-time=1s", "--analyst-max-time=1d", "--analyst-max-memory=104857600", "--analyst-max-queries=1"} {
		require.NotEmpty(t, dry([]string{"--grants", good}), good)
	}
}
