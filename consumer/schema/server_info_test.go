package schema

import (
	"bytes"
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// suitable is a suitable server, which an edit may spoil.
func suitable(edit func(*serverInfo)) *serverInfo {
	s := &serverInfo{clusters: []string{"one", "two"}, macros: []string{"replica", "shard"}}
	s.Version = "25.8.1.1"
	if edit != nil {
		edit(s)
	}
	return s
}

// A migration of an unsuitable server is refused with the reason, before anything is changed.
func TestServerFits(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster string
		edit    func(*serverInfo)
		want    string // empty: it fits
	}{
		"single":                   {},
		"single, again":            {edit: func(s *serverInfo) { s.engine = "ReplacingMergeTree" }},
		"single, without clusters": {edit: func(s *serverInfo) { s.clusters, s.macros = nil, nil }},
		"single, of a cluster":     {edit: func(s *serverInfo) { s.engine = "Distributed" }, want: "--clickhouse-cluster"},
		"cloud":                    {edit: func(s *serverInfo) { s.Cloud, s.engine = true, "SharedReplacingMergeTree" }},
		"cloud as a cluster":       {cluster: "one", edit: func(s *serverInfo) { s.Cloud = true }, want: "ClickHouse Cloud"},
		"cluster":                  {cluster: "two"},
		"cluster, again":           {cluster: "two", edit: func(s *serverInfo) { s.engine = "Distributed" }},
		"cluster, of a single":     {cluster: "two", edit: func(s *serverInfo) { s.engine = "ReplacingMergeTree" }, want: "single server"},
		"unknown cluster":          {cluster: "three", want: "one, two"},
		"no shard":                 {cluster: "two", edit: func(s *serverInfo) { s.macros = []string{"replica"} }, want: "{shard}"},
		"no replica":               {cluster: "two", edit: func(s *serverInfo) { s.macros = []string{"shard"} }, want: "{replica}"},
		"too old":                  {edit: func(s *serverInfo) { s.Version = "25.7.9.9" }, want: "25.7.9.9 is older than 25.8"},
		"too old a cluster":        {cluster: "two", edit: func(s *serverInfo) { s.Version = "25.3.1.1" }, want: "older than 25.8"},
		"the first that will do":   {edit: func(s *serverInfo) { s.Version = "25.8.0.0" }},
	} {
		err := suitable(tc.edit).fits(variant{Database: "db", Cluster: tc.cluster})
		if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// inspect works on the real server over both protocols.
func TestLook(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		store := storeAt(dsn)
		db, err := openDefault(t.Context(), store.ClickHouse)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, cluster := range []string{"", "two"} {
			engine := ""
			if cluster != "" {
				apply(t, store)
				engine = "ReplacingMergeTree"
			}
			s, err := inspect(t.Context(), db, variant{Database: d.Name, Cluster: cluster})
			if err != nil {
				t.Fatal(err)
			}
			if s.Cloud || s.engine != engine || s.Unsuitable() != nil || s.Fault() != "" || slices.Contains(s.clusters, "two") != (cluster != "") || len(s.macros) > 0 != (cluster != "") {
				t.Errorf("%q: %+v", cluster, s)
			}
		}
	})
}

// applied migrates a server that claims to be another one.
func applied(t *testing.T, store Config, edit func(*serverInfo)) error {
	t.Helper()
	m := NewMigrator(store, &bytes.Buffer{})
	m.inspect = func(ctx context.Context, db *sql.DB, f variant) (*serverInfo, error) {
		s, err := inspect(ctx, db, f)
		if err == nil {
			edit(s)
		}
		return s, err
	}
	return m.Apply(t.Context())
}

// A server that is refused is left alone.
func TestApplyRefuses(t *testing.T) {
	d := clickhousetest.New(t)
	cluster := storeOf(d)
	cluster.ClickHouse.Cluster = "nowhere"
	for name, err := range map[string]error{
		"too old":         applied(t, storeOf(d), func(s *serverInfo) { s.Version = "25.7.1.1" }),
		"unknown cluster": NewMigrator(cluster, &bytes.Buffer{}).Apply(t.Context()),
	} {
		if err == nil || clickhouse.FaultOf(err) != clickhouse.FaultSetup || !strings.Contains(err.Error(), "clickhouse at 127.0.0.1") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := d.TryAsk("default", "SELECT count() FROM system.databases WHERE name = "+clickhouse.Quote(d.Name)); n != "0" || err != nil {
		t.Errorf("the database is there: %s, error %v", n, err)
	}
}

// A migration without the cluster's name leaves the Distributed table alone, and says why.
func TestApplyWithoutTheCluster(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		d.AskServer("CREATE DATABASE " + d.Name)
		for _, statement := range clickhousetest.ClusterTables(d.Name) {
			d.Ask(statement)
		}
		if err := applied(t, storeAt(dsn), func(*serverInfo) {}); err == nil || !strings.Contains(err.Error(), "--clickhouse-cluster") {
			t.Errorf("a migration without the cluster's name: %v", err)
		}
	})
}

// ClickHouse Cloud is recognised and gets its own variant. The test can only show that the real server accepts the
// variant.
func TestApplyToCloud(t *testing.T) {
	d := clickhousetest.New(t)
	for range 2 {
		if err := applied(t, storeOf(d), func(s *serverInfo) { s.Cloud = true }); err != nil {
			t.Fatal(err)
		}
	}
	got := d.Ask("SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = 'events_raw'")
	for _, want := range []string{"replicated_deduplication_window_seconds = 604800", "TTL "} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(got, "fsync") || strings.Contains(got, "non_replicated") {
		t.Errorf("left off: %s", got)
	}
	putRows(t, storeOf(d), rowstest.Plain(1))
	d.Asks("SELECT count() FROM events", "1")
}
