//go:build linux || darwin

package embedded

import (
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// TestEngineIsAServer checks that the engine is configured as a server and has the features that the schema needs.
func TestEngineIsAServer(t *testing.T) {
	e := testEngine(t, t.TempDir())
	run := begin(t, e.Ready(), e.Run)
	conn := connect(t, e)
	ctx := t.Context()
	exec := func(query string) {
		t.Helper()
		require.NoError(t, conn.Exec(ctx, query))
	}
	text := func(query string) (s string) {
		t.Helper()
		require.NoError(t, conn.QueryRow(ctx, query).Scan(&s))
		return s
	}

	version, err := conn.ServerVersion()
	require.NoError(t, err)
	require.EqualValues(t, 26, version.Version.Major)
	require.Equal(t, "UTC", strings.TrimPrefix(text("SELECT timezone()"), "Etc/"))
	require.Equal(t, "1", text("SELECT value FROM system.settings WHERE name = 'async_insert'"), "a server's default since 26.3")
	require.Equal(t, "0", text("SELECT value FROM system.settings WHERE name = 'implicit_select'"))
	require.Equal(t, "0.5", text("SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage_to_ram_ratio'"))
	require.NotEqual(t, "0", text("SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"), "no memory limit")

	exec("CREATE DATABASE sluice")
	exec(`CREATE TABLE sluice.raw (id UInt64, name String) ENGINE = ReplacingMergeTree ORDER BY id
		SETTINGS non_replicated_deduplication_window = 1000`)
	exec("CREATE TABLE sluice.sums (name String, n UInt64) ENGINE = SummingMergeTree ORDER BY name")
	exec("CREATE MATERIALIZED VIEW sluice.sums_mv TO sluice.sums AS SELECT name, count() AS n FROM sluice.raw GROUP BY name")
	exec(`CREATE MATERIALIZED VIEW sluice.counts REFRESH EVERY 1 SECOND (n UInt64) ENGINE = MergeTree ORDER BY n
		AS SELECT count() AS n FROM sluice.raw FINAL`)
	exec("CREATE VIEW sluice.seen AS SELECT * FROM sluice.raw FINAL")

	var writers errgroup.Group
	for w := range uint64(20) {
		writers.Go(func() error {
			conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{e.TCPAddr()}})
			if err != nil {
				return err
			}
			defer conn.Close()
			return conn.Exec(ctx, "INSERT INTO sluice.raw SELECT number, 'x' FROM numbers(?, 100) SETTINGS async_insert = 0", w*50)
		})
	}
	require.NoError(t, writers.Wait())
	require.EqualValues(t, 1050, count(t, conn, "SELECT count() FROM sluice.seen"))
	require.EqualValues(t, 2000, count(t, conn, "SELECT sum(n) FROM sluice.sums"))
	exec("SYSTEM REFRESH VIEW sluice.counts")
	eventually(t, "the refreshable view was not refreshed", func() bool {
		return count(t, conn, "SELECT max(n) FROM sluice.counts") == 1050
	})
	require.NoError(t, conn.Close())
	require.NoError(t, run.end())
}
