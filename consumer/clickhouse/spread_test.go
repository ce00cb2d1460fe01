package clickhouse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// A Distributed table that waits for its shards hands the block's token on to each of them. The same block sent again
// changes nothing, also when one of the shards did not take it the first time. The consumer splits blocks by itself all
// the same, because a shard that has its rows is then not sent them again, and another replica is.
func TestSpreadTokens(t *testing.T) {
	var shards []*clickhousetest.Database
	for i := range 2 {
		d := clickhousetest.Named(t, clickhousetest.ShardOf(2, i))
		d.AskServer("CREATE DATABASE " + d.Name)
		t.Cleanup(func() { _, _ = d.TryAsk("default", "DROP DATABASE "+d.Name+" SYNC") })
		for _, statement := range clickhousetest.ClusterTables(d.Name) {
			if strings.HasPrefix(statement, "CREATE TABLE IF NOT EXISTS events_local") {
				d.Ask(statement)
			}
		}
		shards = append(shards, d)
	}
	shards[0].Ask("CREATE TABLE spread AS events_local ENGINE = Distributed('shards_2', '', 'events_local', " + ShardKey + ")")
	b := rowstest.Many(t, 1000)
	inserted := func(want int) {
		t.Helper()
		require.Equal(t, want, addedUp(t, shards, "SELECT count() FROM events_local"))
	}

	for range 2 {
		require.NoError(t, insertSpread(t.Context(), shards[0], b, "range"))
		inserted(1000)
	}
	shards[1].Ask("RENAME TABLE events_local TO away")
	require.Error(t, insertSpread(t.Context(), shards[0], b, "next"))
	shards[1].Ask("RENAME TABLE away TO events_local")
	for range 2 {
		require.NoError(t, insertSpread(t.Context(), shards[0], b, "next"))
		inserted(2000)
	}
}
