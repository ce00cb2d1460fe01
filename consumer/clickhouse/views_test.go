package clickhouse

import (
	"context"
	"fmt"
	"testing"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// On a Distributed table over two shards the views answer as on one server. Resends are one row, because they are on
// one shard, and the first copy wins.
func TestClusterViews(t *testing.T) {
	a := clickhousetest.New(t)
	t.Cleanup(func() {
		for _, name := range []string{"two_a", "two_b"} {
			if _, err := clickhousetest.Query(context.Background(), "default", "DROP DATABASE IF EXISTS "+name+" SYNC"); err != nil {
				t.Error(err)
			}
		}
	})
	servers := []*clickhousetest.Database{clickhousetest.Named(t, "two_a"), clickhousetest.Named(t, "two_b")}
	for _, d := range servers {
		a.AskServer("CREATE DATABASE " + d.Name)
		// With an empty name of the database each shard uses its own here.
		for _, statement := range clickhousetest.ClusterTables("") {
			d.Ask(statement)
		}
	}
	shape := clusterShape{weights: []uint64{1, 2}, replicas: []int{1, 1}, nodes: [][]node{{nodeOf(reach(servers[0].Native()))}, {nodeOf(reach(servers[1].Native()))}}}
	c := clusterOf(t, "auto", shape)
	one := clickhousetest.Migrated(t)
	const n = 300
	var records, resent []rowstest.Record
	for i := range int64(n) {
		id := rowstest.ID(uint64(i)) // not negative
		records = append(records, rowstest.From(i, "demo", id, rowstest.Noon, fmt.Sprintf(`{"message":"first of %d","user":{"id":%d}}`, i, i%7)))
		resent = append(resent, rowstest.From(n+i, "demo", id, rowstest.Noon.Add(1e9), fmt.Sprintf(`{"message":"second of %d","user":{"id":%d}}`, i, i%7)))
	}
	for token, rs := range map[string][]rowstest.Record{"1": records, "2": resent} {
		if err := c.Insert(t.Context(), token, rowstest.Block(t, rs...)); err != nil {
			t.Fatal(err)
		}
		if err := sendTo(t, reach(one.Native()), rowstest.Block(t, rs...)); err != nil {
			t.Fatal(err)
		}
	}
	raw := "SELECT count(), uniqExact(_offset) FROM events_raw"
	for _, question := range []string{
		"SELECT * EXCEPT (inserted_at) FROM events ORDER BY _offset",
		"SELECT * FROM issues ORDER BY fingerprint",
		"SELECT * FROM events_per_minute ORDER BY ALL",
		"SELECT count(), countIf(startsWith(message, 'first')), any(issue_id) = lower(leftPad(hex(any(fingerprint)), 16, '0')) FROM events",
	} {
		want := one.Ask(question)
		for _, d := range servers { // whichever server is asked
			d.Asks(question, want)
		}
	}
	for _, d := range servers {
		d.Asks("SELECT count() FROM events", fmt.Sprint(n))
		d.Asks(raw, fmt.Sprintf("%d\t%d", 2*n, 2*n))
		// The Distributed table puts rows where they already are, and a question for one event asks one shard.
		d.Asks("SELECT countIf(_shard_num != if("+ShardKey+" % 3 < 1, 1, 2)) FROM events_raw", "0")
		d.Asks(fmt.Sprintf("SELECT count() FROM events_raw WHERE project_id = 'demo' AND event_id = '%s' SETTINGS force_optimize_skip_unused_shards = 1, optimize_skip_unused_shards = 1", rowstest.ID(5)), "2")
	}
	servers[0].Ask("INSERT INTO events_raw (project_id, event_id, id_time, received_at, _topic, _partition, _offset) SELECT project_id, event_id, id_time, received_at, 'by hand', _partition, _offset FROM events_raw SETTINGS distributed_foreground_insert = 1")
	servers[0].Asks("SELECT countIf(_shard_num != if("+ShardKey+" % 3 < 1, 1, 2)), uniqExact(_shard_num) FROM events_raw WHERE _topic = 'by hand'", "0\t2")
}
