package consumer

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/internal/settings"
)

// compared compares the cluster's schema with what a number of servers have, who are told what they lack.
func compared(t *testing.T, servers int, lack func(map[string][]found)) comparison {
	t.Helper()
	f := flavour{database: "db", cluster: "c", ttl: ttlOf(defaultRetention)}
	texts, err := statements(f)
	if err != nil {
		t.Fatal(err)
	}
	inv := inventory{servers: servers, databases: servers, objects: map[string][]found{}}
	var all []wanted
	for _, s := range texts {
		d, err := parseDefinition(strings.Join(strings.Fields(strings.Replace(s.text, f.onCluster(), "", 1)), " "))
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
	c := comparison{flavour: f, inventory: inv}
	c.compare(all)
	return c
}

// Servers of a cluster that lack an object get it, all others are as they should be.
func TestCompareServersOfACluster(t *testing.T) {
	if c := compared(t, 3, nil); len(c.steps) > 0 || len(c.with(stateThere)) != len(c.findings) {
		t.Errorf("%v %v", c.findings, c.steps)
	}
	for object, want := range map[string]string{
		"events_local": "CREATE TABLE IF NOT EXISTS events_local ON CLUSTER 'c'\n",
		"events_raw":   "CREATE TABLE IF NOT EXISTS events_raw ON CLUSTER 'c' AS events_local\n",
		"issues":       "CREATE VIEW IF NOT EXISTS issues ON CLUSTER 'c' AS\n",
	} {
		c := compared(t, 3, func(objects map[string][]found) { objects[object][0].servers = 2 })
		missing := c.with(stateMissing)
		if len(c.steps) != 1 || !strings.HasPrefix(c.steps[0].statement, want) || len(missing) != 1 || !strings.HasSuffix(missing[0].String(), object+": on 1 of 3 servers") {
			t.Errorf("%s: %v %v", object, c.findings, c.steps)
		}
	}
	// One server has another definition: both are looked at.
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

// A server that joined gets the retention of the others, and servers that differ are said and made alike when a retention is given.
func TestRetentionOfACluster(t *testing.T) {
	if got := newTTL([]string{"a", "b"}, new(settings.Duration(time.Hour))); got != "a" {
		t.Errorf("a server that joined gets %s", got)
	}
	c := comparison{flavour: flavour{cluster: "c"}}
	have := []string{ttlOf(90 * day), ttlOf(30 * day)}
	count := func(time.Duration) (loss, error) { return loss{rows: 7}, nil }
	if err := c.retention(have, nil, false, count); err != nil || len(c.steps) > 0 || len(c.left()) != 1 {
		t.Errorf("not given: %v %v, error %v", c.findings, c.steps, err)
	}
	for d, want := range map[time.Duration]struct{ steps, refused bool }{
		90 * day: {steps: true}, 91 * day: {steps: true}, 89 * day: {refused: true}, 30 * day: {refused: true},
	} {
		c := comparison{flavour: flavour{cluster: "c"}}
		err := c.retention(have, new(settings.Duration(d)), false, count)
		if err != nil || len(c.steps) > 0 != want.steps || (c.refused != "") != want.refused {
			t.Errorf("%s: %v %v, error %v", d, c.findings, c.steps, err)
		}
	}
	broken := errors.New("broken")
	err := c.retention(have, new(settings.Duration(day)), true, func(time.Duration) (loss, error) { return loss{}, broken })
	if !errors.Is(err, broken) || len(c.steps) > 0 {
		t.Errorf("what cannot be counted is removed: %v, error %v", c.steps, err)
	}
}

// The questions that all servers of a cluster are asked are ones that ClickHouse answers.
func TestInventoryOfACluster(t *testing.T) {
	d := migrated(t)
	d.ask("ALTER TABLE events_raw MODIFY TTL toDateTime(received_at) + INTERVAL 1000 DAY")
	d.received(0, 100, 200)
	d.ask("RENAME TABLE events_raw TO events_local")
	opts, err := d.native().options()
	if err != nil {
		t.Fatal(err)
	}
	db, err := openDefault(t.Context(), *opts)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f := flavour{database: d.name, cluster: "single"} // twice the same server, which ClickHouse asks once
	all, err := want(t.Context(), db, f)
	if err != nil {
		t.Fatal(err)
	}
	if names := []string{all[0].name, all[1].name}; !slices.Equal(names, []string{"events_local", "events_raw"}) || len(all[1].columns) != len(all[0].columns) {
		t.Errorf("wanted are %v", names)
	}
	inv, err := take(t.Context(), db, f, all)
	if err != nil {
		t.Fatal(err)
	}
	if local := inv.objects["events_local"]; inv.servers != 1 || inv.databases != 1 || len(local) != 1 || local[0].servers != 1 || len(inv.objects["events_raw"]) != 0 {
		t.Errorf("%d servers, %d databases, %+v", inv.servers, inv.databases, inv.objects)
	}
	if ttls := inv.ttls("events_local"); !slices.Equal(ttls, []string{"toDateTime(received_at) + toIntervalDay(1000)"}) {
		t.Errorf("kept %v", ttls)
	}
	if l, err := lostBy(t.Context(), db, f, 150*day); err != nil || l.rows != 1 || l.bytes == 0 {
		t.Errorf("lost %+v, error %v", l, err)
	}
}

// A definition is read as the server writes it, with all that may be in one.
func TestParseDefinition(t *testing.T) {
	d, err := parseDefinition("CREATE TABLE `my db`.t (`a` String DEFAULT concat('x, )\\'', 'TTL') COMMENT 'it''s (' CODEC(Delta(8), ZSTD(1)) TTL b + toIntervalDay(1), " +
		"`b` Map(String, Enum8('a b' = 1, 'c,)' = 2)), INDEX i (a, b) TYPE set(100) GRANULARITY 4, CONSTRAINT c CHECK a != '', PROJECTION p (SELECT a ORDER BY b)) " +
		"ENGINE = ReplicatedReplacingMergeTree('/a/{shard}, x', '{replica}', _ver) PARTITION BY f(b) PRIMARY KEY a ORDER BY (a, b) SAMPLE BY b TTL b + toIntervalDay(7), b + toIntervalDay(1) RECOMPRESS CODEC(ZSTD(9)) " +
		"SETTINGS x = 1, y = 'a, b' COMMENT 'said TTL 1'")
	if err != nil {
		t.Fatal(err)
	}
	wantColumns := []part{
		{name: "a", text: "String", kind: `DEFAULT concat('x, )\'', 'TTL')`, code: "CODEC(Delta, ZSTD(1))"},
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
