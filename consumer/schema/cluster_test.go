package schema

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/retention"
	"sluice/internal/settings"
)

// compared compares the schema of a cluster with a number of servers, from which something may be missing.
func compared(t *testing.T, servers int, lack func(map[string][]found)) comparison {
	t.Helper()
	f := variant{Database: "db", Cluster: "c", TTL: retention.Policy{All: retention.Default}.TTL()}
	texts, err := statements(f)
	if err != nil {
		t.Fatal(err)
	}
	inv := inventory{servers: servers, databases: servers, objects: map[string][]found{}}
	var all []wanted
	for _, s := range texts {
		d, err := parseDefinition(strings.Join(strings.Fields(strings.Replace(s.text, f.OnCluster(), "", 1)), " "))
		if err != nil {
			t.Fatal(err)
		}
		engine := "MergeTree"
		if d.view {
			engine = "View"
		}
		all = append(all, wanted{s, d})
		inv.objects[d.name] = []found{{definition: d, engine: engine, servers: servers}}
	}
	if lack != nil {
		lack(inv.objects)
	}
	c := comparison{variant: f, inventory: inv}
	c.compare(all)
	return c
}

// A server of a cluster that lacks an object gets it. The other objects are left alone.
func TestCompareServersOfACluster(t *testing.T) {
	if c := compared(t, 3, nil); len(c.steps) > 0 || len(c.with(stateThere)) != len(c.findings) {
		t.Errorf("%v %v", c.findings, c.steps)
	}
	for object, want := range map[string]string{
		"events_local": "CREATE TABLE IF NOT EXISTS events_local ON CLUSTER 'c'\n",
		"events_raw":   "CREATE TABLE IF NOT EXISTS events_raw ON CLUSTER 'c' AS events_local\n",
		"issues":       "CREATE VIEW IF NOT EXISTS issues ON CLUSTER 'c'\n(\n",
	} {
		c := compared(t, 3, func(objects map[string][]found) { objects[object][0].servers = 2 })
		missing := c.with(stateMissing)
		if len(c.steps) != 1 || !strings.HasPrefix(c.steps[0].statement, want) || len(missing) != 1 || !strings.HasSuffix(missing[0].String(), object+": on 1 of 3 servers") {
			t.Errorf("%s: %v %v", object, c.findings, c.steps)
		}
	}
	// If one server has another definition, both definitions are compared.
	c := compared(t, 3, func(objects map[string][]found) {
		odd := objects["issues"][0]
		odd.query, odd.servers = "SELECT 1", 1
		objects["issues"][0].servers = 2
		objects["issues"] = append(objects["issues"], odd)
	})
	if left := c.left(); len(c.steps) > 0 || len(left) != 1 || left[0].what != "view issues" {
		t.Errorf("%v %v", c.findings, c.steps)
	}
}

// A server that joined gets the retention of the others. Servers that differ are reported, and made alike when a
// retention is given.
func TestRetentionOfACluster(t *testing.T) {
	if got := (asked{all: new(time.Hour)}).newTTL([]string{"a", "b"}); got != "a" {
		t.Errorf("a server that joined gets %s", got)
	}
	differing := func() comparison {
		c := comparison{variant: variant{Cluster: "c"}}
		for _, d := range []time.Duration{90 * day, 30 * day} {
			o := found{engine: "ReplicatedReplacingMergeTree", definition: definition{clauses: map[string]string{"TTL": ttlOf(d)}}}
			c.objects = map[string][]found{"events_local": append(c.objects["events_local"], o)}
		}
		return c
	}
	count := func(string, string) (loss, error) { return loss{rows: 7}, nil }
	c := differing()
	if err := c.retention(asked{}, false, count); err != nil || len(c.steps) > 0 || len(c.left()) != 1 {
		t.Errorf("not given: %v %v, error %v", c.findings, c.steps, err)
	}
	for d, want := range map[time.Duration]struct{ steps, refused bool }{
		90 * day: {steps: true}, 91 * day: {steps: true}, 89 * day: {refused: true}, 30 * day: {refused: true},
	} {
		c := differing()
		err := c.retention(asked{all: new(d)}, false, count)
		if err != nil || len(c.steps) > 0 != want.steps || (c.refused != "") != want.refused {
			t.Errorf("%s: %v %v, error %v", d, c.findings, c.steps, err)
		}
	}
	broken := errors.New("broken")
	c = differing()
	err := c.retention(asked{all: new(day)}, true, func(string, string) (loss, error) { return loss{}, broken })
	if !errors.Is(err, broken) || len(c.steps) > 0 {
		t.Errorf("what cannot be counted is removed: %v, error %v", c.steps, err)
	}
}

// ClickHouse answers the questions for all servers of a cluster.
func TestInventoryOfACluster(t *testing.T) {
	d := clickhousetest.Migrated(t)
	d.Ask("ALTER TABLE events_raw MODIFY TTL toDateTime(received_at) + INTERVAL 1000 DAY")
	received(d, 0, 100, 200)
	d.Ask("RENAME TABLE events_raw TO events_local")
	db, err := openDefault(t.Context(), storeOf(d).ClickHouse)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f := variant{Database: d.Name, Cluster: "single"} // twice the same server, which ClickHouse asks once
	all, err := readWanted(t.Context(), db, f)
	if err != nil {
		t.Fatal(err)
	}
	if names := []string{all[0].name, all[1].name}; !slices.Equal(names, []string{"events_local", "events_raw"}) || len(all[1].columns) != len(all[0].columns) {
		t.Errorf("wanted are %v", names)
	}
	inv, err := readInventory(t.Context(), db, f, all)
	if err != nil {
		t.Fatal(err)
	}
	if local := inv.objects["events_local"]; inv.servers != 1 || inv.databases != 1 || len(local) != 1 || local[0].servers != 1 || len(inv.objects["events_raw"]) != 0 {
		t.Errorf("%d servers, %d databases, %+v", inv.servers, inv.databases, inv.objects)
	}
	if ttls := inv.ttls("events_local"); !slices.Equal(ttls, []string{"toDateTime(received_at) + toIntervalDay(1000)"}) {
		t.Errorf("kept %v", ttls)
	}
	if l, err := lostBy(t.Context(), db, f, f.Table(), ttlOf(150*day)); err != nil || l.rows != 1 || l.bytes == 0 {
		t.Errorf("lost %+v, error %v", l, err)
	}
}

// A definition is read in the server's own form, with everything that may be in one.
func TestParseDefinition(t *testing.T) {
	d, err := parseDefinition("CREATE TABLE `my db`.t (`a` String DEFAULT concat('x, )\\'', 'TTL') COMMENT 'it''s (' CODEC(Delta(8), ZSTD(1)) TTL b + toIntervalDay(1), " +
		"`b` Map(String, Enum8('a b' = 1, 'c,)' = 2)), INDEX i (a, b) TYPE set(100) GRANULARITY 4, CONSTRAINT c CHECK a != '', PROJECTION p (SELECT a ORDER BY b)) " +
		"ENGINE = ReplicatedReplacingMergeTree('/a/{shard}, x', '{replica}', _ver) PARTITION BY f(b) PRIMARY KEY a ORDER BY (a, b) SAMPLE BY b TTL b + toIntervalDay(7), b + toIntervalDay(1) RECOMPRESS CODEC(ZSTD(9)) " +
		"SETTINGS x = 1, y = 'a, b' COMMENT 'said TTL 1'")
	if err != nil {
		t.Fatal(err)
	}
	wantColumns := []part{
		{name: "a", text: "String", defaultValue: `DEFAULT concat('x, )\'', 'TTL')`, codec: "CODEC(Delta, ZSTD(1))", comment: "COMMENT 'it''s ('"},
		{name: "b", text: "Map(String, Enum8('a b' = 1, 'c,)' = 2))"},
	}
	if d.name != "t" || d.view || !slices.Equal(d.columns, wantColumns) || !slices.Equal(d.indices, []part{{name: "i", text: "(a, b) TYPE set(100) GRANULARITY 4"}}) {
		t.Errorf("%+v", d)
	}
	if engine, arguments := d.engine(); engine != "ReplicatedReplacingMergeTree" || arguments != "_ver" {
		t.Errorf("engine %s of %s", engine, arguments)
	}
	if !slices.Equal(d.settings(), []part{{name: "x", text: "1"}, {name: "y", text: "'a, b'"}}) {
		t.Errorf("settings %v", d.settings())
	}
	for clause, want := range map[string]string{
		"PARTITION": "f(b)", "ORDER": "(a, b)", "PRIMARY": "a", "TTL": "b + toIntervalDay(7), b + toIntervalDay(1) RECOMPRESS CODEC(ZSTD(9))", "COMMENT": "'said TTL 1'",
	} {
		if d.clauses[clause] != want {
			t.Errorf("%s is %s", clause, d.clauses[clause])
		}
	}
	for _, none := range []string{"", "CREATE", "CREATE TABLE", "CREATE TABLE IF NOT EXISTS"} {
		if d, err := parseDefinition(none); err == nil {
			t.Errorf("%q is %+v", none, d)
		}
	}
}

// A migration of a whole cluster, with all steps in their order. The engine has neither Keeper nor peers, so the proxy
// removes what needs them.
func TestApplyToCluster(t *testing.T) {
	d := clickhousetest.New(t)
	w := clickhousetest.NewProxy(t)
	var mu sync.Mutex
	var sent []string
	w.Rewrite = func(body string) string {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, body)
		return clickhousetest.Unreplicated(body)
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
	store := storeAt("http://" + w.Addr + "/" + d.Name)
	store.ClickHouse.Cluster = "two"
	store.Retention = nil
	objects := []string{"database " + d.Name, "table events_local", "table events_raw", "view events", "view issues", "view events_per_minute", "table outcomes_local", "table outcomes_raw", "view outcomes", "table erasures"}
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
	// A missing object is made whether it existed before or not, and a table gets the retention of the other servers.
	d.Ask("ALTER TABLE events_local MODIFY TTL toDateTime(received_at) + toIntervalDay(100)")
	for _, drop := range []string{
		"DROP VIEW events", "DROP TABLE events_raw SYNC", "ALTER TABLE events_local DROP COLUMN trace_id", "ALTER TABLE events_raw DROP COLUMN message",
		"ALTER TABLE events_local DROP INDEX offset_range", "ALTER TABLE events_local RESET SETTING non_replicated_deduplication_window",
	} {
		d.Ask(drop)
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
	d.Asks("SELECT name, engine FROM system.tables WHERE database = currentDatabase() ORDER BY name",
		"erasures\tMergeTree\nevents\tView\nevents_local\tReplacingMergeTree\nevents_per_minute\tView\nevents_raw\tDistributed\nissues\tView\noutcomes\tView\noutcomes_local\tReplacingMergeTree\noutcomes_raw\tDistributed")
	store.Retention = new(settings.Duration(200 * 24 * time.Hour))
	if said := apply(t, store); !strings.Contains(said, "events are kept for 200d") {
		t.Errorf("a change of the retention says:\n%s", said)
	}
	if n := count("ALTER TABLE events_local ON CLUSTER 'two' MODIFY TTL"); n != 1 {
		t.Errorf("%d changes of the retention", n)
	}
	d.Asks("SELECT countIf(engine_full LIKE '%toIntervalSecond(17366400)%') FROM system.tables WHERE database = currentDatabase() AND name = 'events_local'", "1")
	store.Retention = new(settings.Duration(48 * time.Hour))
	var out bytes.Buffer
	if err := NewMigrator(store, &out).Apply(t.Context()); !errors.Is(err, ErrLeft) || !strings.Contains(err.Error(), "0 rows") {
		t.Errorf("a shorter retention: %v\n%s", err, &out)
	}
}
