package consumer

import (
	"bytes"
	"context"
	"errors"
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
	store.Retention = nil
	objects := []string{"database " + d.name, "table events_local", "table events_raw", "view events", "view issues", "view events_per_minute"}
	if said, err := status(t, store); !errors.Is(err, ErrPending) || strings.Count(said, "missing") != len(objects) {
		t.Errorf("before: %v\n%s", err, said)
	}
	count("")
	said := apply(t, store)
	for _, object := range objects {
		if !strings.Contains(said, "made "+object+"\n") {
			t.Errorf("%s is not made:\n%s", object, said)
		}
	}
	if n := count(" ON CLUSTER 'two'"); n != len(objects) {
		t.Errorf("%d statements on the cluster", n)
	}
	if again := apply(t, store); again != upToDate {
		t.Errorf("the second time says:\n%s", again)
	}
	if n := count(" ON CLUSTER 'two'"); n != 0 {
		t.Errorf("%d statements with nothing to do", n)
	}
	// What is missing is made, whether it was there before or not, and a table gets the retention that others have.
	d.ask("ALTER TABLE events_local MODIFY TTL toDateTime(received_at) + toIntervalDay(100)")
	for _, drop := range []string{
		"DROP VIEW events", "DROP TABLE events_raw SYNC", "ALTER TABLE events_local DROP COLUMN trace_id", "ALTER TABLE events_raw DROP COLUMN message",
		"ALTER TABLE events_local DROP INDEX offset_range", "ALTER TABLE events_local RESET SETTING non_replicated_deduplication_window",
	} {
		d.ask(drop)
		if said, err := status(t, store); !errors.Is(err, ErrPending) || strings.Count(said, "missing") != 1 {
			t.Errorf("%s: status %v\n%s", drop, err, said)
		}
		if said := apply(t, store); said == upToDate {
			t.Errorf("%s: nothing is done", drop)
		}
		if n := count(" ON CLUSTER 'two'"); n == 0 {
			t.Errorf("%s: nothing is done on the cluster", drop)
		}
		if said, err := status(t, store); err != nil {
			t.Errorf("%s: status after: %v\n%s", drop, err, said)
		}
	}
	d.asks("SELECT name, engine FROM system.tables WHERE database = currentDatabase() ORDER BY name",
		"events\tView\nevents_local\tReplacingMergeTree\nevents_per_minute\tView\nevents_raw\tDistributed\nissues\tView")
	store.Retention = new(settings.Duration(200 * 24 * time.Hour))
	if said := apply(t, store); !strings.Contains(said, "events are kept for 200d") {
		t.Errorf("a change of the retention says:\n%s", said)
	}
	if n := count("ALTER TABLE events_local ON CLUSTER 'two' MODIFY TTL"); n != 1 {
		t.Errorf("%d changes of the retention", n)
	}
	d.asks("SELECT countIf(engine_full LIKE '%toIntervalSecond(17280000)%') FROM system.tables WHERE database = currentDatabase() AND name = 'events_local'", "1")
	store.Retention = new(settings.Duration(48 * time.Hour))
	var out bytes.Buffer
	if err := NewMigrator(store, &out).Apply(t.Context()); !errors.Is(err, ErrLeft) || !strings.Contains(err.Error(), "0 rows") {
		t.Errorf("a shorter retention: %v\n%s", err, &out)
	}
}
