package consumer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/settings"
)

// On a Distributed table over two shards the views answer as they do on one server: resends are one row, because they are on one shard, and the
// first copy wins.
func TestClusterViews(t *testing.T) {
	a := newDatabase(t)
	t.Cleanup(func() {
		for _, name := range []string{"two_a", "two_b"} {
			if _, err := query(context.Background(), "default", "DROP DATABASE IF EXISTS "+name+" SYNC"); err != nil {
				t.Error(err)
			}
		}
	})
	servers := []*database{{t, "two_a"}, {t, "two_b"}}
	for _, d := range servers {
		a.askServer("CREATE DATABASE " + d.name)
		// Its database's name is left empty, so that each shard has its own here.
		for _, statement := range clusterSchema(t, flavour{database: "", cluster: "two"}) {
			d.ask(statement)
		}
	}
	shape := clusterShape{weights: []uint64{1, 2}, replicas: []int{1, 1}, nodes: [][]node{{servers[0].ownNode()}, {servers[1].ownNode()}}}
	c := clusterOf(t, "auto", shape)
	one := migrated(t)
	const n = 300
	var records, resent []record
	for i := range int64(n) {
		id := idV4(uint64(i)) //nolint:gosec // not negative
		records = append(records, fromGateway(i, "demo", id, noon, fmt.Sprintf(`{"message":"first of %d","user":{"id":%d}}`, i, i%7)))
		resent = append(resent, fromGateway(n+i, "demo", id, noon.Add(1e9), fmt.Sprintf(`{"message":"second of %d","user":{"id":%d}}`, i, i%7)))
	}
	for token, rs := range map[string][]record{"1": records, "2": resent} {
		if err := c.insert(t.Context(), blockOf(t, rs...), token); err != nil {
			t.Fatal(err)
		}
		one.insert(one.native(), rs...)
	}
	raw := "SELECT count(), uniqExact(_offset) FROM events_raw"
	for _, question := range []string{
		"SELECT * EXCEPT (inserted_at) FROM events ORDER BY _offset",
		"SELECT * FROM issues ORDER BY fingerprint",
		"SELECT * FROM events_per_minute ORDER BY ALL",
		"SELECT count(), countIf(startsWith(message, 'first')), any(issue_id) = lower(leftPad(hex(any(fingerprint)), 16, '0')) FROM events",
	} {
		want := one.ask(question)
		for _, d := range servers { // whichever server is asked
			d.asks(question, want)
		}
	}
	for _, d := range servers {
		d.asks("SELECT count() FROM events", fmt.Sprint(n))
		d.asks(raw, fmt.Sprintf("%d\t%d", 2*n, 2*n))
		// The Distributed table puts rows where they are already, and a question for one event asks one shard.
		d.asks("SELECT countIf(_shard_num != if("+shardKey+" % 3 < 1, 1, 2)) FROM events_raw", "0")
		d.asks(fmt.Sprintf("SELECT count() FROM events_raw WHERE project_id = 'demo' AND event_id = '%s' SETTINGS force_optimize_skip_unused_shards = 1, optimize_skip_unused_shards = 1", idV4(5)), "2")
	}
	servers[0].ask("INSERT INTO events_raw (project_id, event_id, id_time, received_at, _topic, _partition, _offset) SELECT project_id, event_id, id_time, received_at, 'by hand', _partition, _offset FROM events_raw SETTINGS distributed_foreground_insert = 1")
	servers[0].asks("SELECT countIf(_shard_num != if("+shardKey+" % 3 < 1, 1, 2)), uniqExact(_shard_num) FROM events_raw WHERE _topic = 'by hand'", "0\t2")
}

// A partition at work over two shards, both of which fail again and again: every record is a row, once.
func TestClusterPartition(t *testing.T) {
	c, servers, ways := twoShards(t)
	topic, memory := newMemory(t)
	const n = 95
	topic.add(n)
	for offset := range int64(n) {
		memory.rows[offset] = 1 // the rows go elsewhere in this test
	}
	ways[0].plan(lost, goesWell, answerLost, readOnly, goesWell, answerLost)
	ways[1].plan(goesWell, answerLost, lost, goesWell, readOnly, answerLost)
	w := newWorker(t, func(w *worker) {
		w.topic, w.kafka, w.ledger, w.graves = topic, topic, topic, topic
		w.partition.table, w.table, w.sure = c, memory, true
	})
	w.startUnbubbled()
	waitUntil(t, "the commit", func() bool { return topic.at() == n })
	w.stop()
	question := "SELECT count() FROM events_local"
	if got, once := counted(servers, question), counted(servers, "SELECT uniqExact(_offset) FROM events_local"); got != n || once != n {
		t.Errorf("%d rows of %d offsets, want %d", got, once, n)
	}
	for shard, d := range servers {
		d.asks(fmt.Sprintf("SELECT countIf(%s %% 2 != %d) FROM events_local", shardKey, shard), "0")
	}

	// The next owner compares with the table and adds nothing.
	sent := len(ways[0].tokens()) + len(ways[1].tokens())
	topic.add(1)
	memory.rows[n] = 1
	next := newWorker(t, func(w *worker) {
		w.topic, w.kafka, w.ledger, w.graves = topic, topic, topic, topic
		w.partition.table, w.table, w.sure = c, memory, true
	})
	next.startUnbubbled()
	waitUntil(t, "the next commit", func() bool { return topic.at() == n+1 })
	next.stop()
	if got := len(ways[0].tokens()) + len(ways[1].tokens()); got != sent+1 {
		t.Errorf("%d inserts for one more record", got-sent)
	}
	if got := counted(servers, question); got != n+1 {
		t.Errorf("%d rows, want %d", got, n+1)
	}
}

// A migration of a cluster as a whole, with all of its steps in their order. On the way to the engine, which has neither Keeper nor peers, the
// statements lose what takes them.
func TestApplyToCluster(t *testing.T) {
	d := newDatabase(t)
	w := newWay(t)
	var mu sync.Mutex
	var sent []string
	w.rewrite = func(body string) string {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, body)
		return unreplicated(body)
	}
	count := func(part string) (n int) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range sent {
			n += strings.Count(s, part)
		}
		sent = nil
		return n
	}
	store := d.store("http://" + w.addr + "/" + d.name)
	store.Cluster = "two"
	all := len(schemaFiles(t))
	if pending, _ := status(t, store); pending != all {
		t.Errorf("%d pending before", pending)
	}
	count("")
	if said := apply(t, store); strings.Count(said, "applied ") != all {
		t.Errorf("the first time says:\n%s", said)
	}
	// The database, the version table, the files' statements, and the last ones again.
	if n := count(" ON CLUSTER 'two'"); n != 1+1+(all+1)+1+(all+1) {
		t.Errorf("%d statements on the cluster", n)
	}
	// A server that joined has none of it yet: it is made there, although it was applied.
	d.ask("DROP VIEW events")
	d.ask("DROP TABLE events_raw SYNC")
	d.ask("DROP TABLE events_local SYNC")
	if said := apply(t, store); said != "schema is up to date\n" {
		t.Errorf("the second time says:\n%s", said)
	}
	count("")
	d.asks("SELECT name, engine FROM system.tables WHERE database = currentDatabase() ORDER BY name",
		"events\tView\nevents_local\tReplacingMergeTree\nevents_per_minute\tView\nevents_raw\tDistributed\nissues\tView\nschema_migrations\tMergeTree")
	store.Retention = settings.Duration(48 * time.Hour)
	if said := apply(t, store); !strings.Contains(said, "48h0m0s") {
		t.Errorf("a change of the retention says:\n%s", said)
	}
	if n := count("ALTER TABLE events_local ON CLUSTER 'two' MODIFY TTL"); n != 1 {
		t.Errorf("%d changes of the retention", n)
	}
	d.asks("SELECT countIf(engine_full LIKE '%toIntervalSecond(172800)%') FROM system.tables WHERE database = currentDatabase() AND name = 'events_local'", "1")
	if pending, _ := status(t, store); pending != 0 {
		t.Errorf("%d pending after", pending)
	}
}
