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

// surveyed is a server as a migration may meet one.
func surveyed(edit func(*survey)) *survey {
	s := &survey{clusters: []string{"one", "two"}, macros: []string{"replica", "shard"}}
	s.Version = "25.8.1.1"
	if edit != nil {
		edit(s)
	}
	return s
}

// Whoever runs a migration where it cannot work is told why, before anything is changed.
func TestSurveyFits(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster string
		edit    func(*survey)
		want    string // empty: it fits
	}{
		"single":                   {},
		"single, again":            {edit: func(s *survey) { s.engine = "ReplacingMergeTree" }},
		"single, without clusters": {edit: func(s *survey) { s.clusters, s.macros = nil, nil }},
		"single, of a cluster":     {edit: func(s *survey) { s.engine = "Distributed" }, want: "--clickhouse-cluster"},
		"cloud":                    {edit: func(s *survey) { s.Cloud, s.engine = true, "SharedReplacingMergeTree" }},
		"cloud as a cluster":       {cluster: "one", edit: func(s *survey) { s.Cloud = true }, want: "ClickHouse Cloud"},
		"cluster":                  {cluster: "two"},
		"cluster, again":           {cluster: "two", edit: func(s *survey) { s.engine = "Distributed" }},
		"cluster, of a single":     {cluster: "two", edit: func(s *survey) { s.engine = "ReplacingMergeTree" }, want: "single server"},
		"unknown cluster":          {cluster: "three", want: "one, two"},
		"no shard":                 {cluster: "two", edit: func(s *survey) { s.macros = []string{"replica"} }, want: "{shard}"},
		"no replica":               {cluster: "two", edit: func(s *survey) { s.macros = []string{"shard"} }, want: "{replica}"},
		"too old":                  {edit: func(s *survey) { s.Version = "25.7.9.9" }, want: "25.7.9.9 is older than 25.8"},
		"too old a cluster":        {cluster: "two", edit: func(s *survey) { s.Version = "25.3.1.1" }, want: "older than 25.8"},
		"the first that will do":   {edit: func(s *survey) { s.Version = "25.8.0.0" }},
	} {
		err := surveyed(tc.edit).fits(flavour{database: "db", cluster: tc.cluster})
		if (err != nil) != (tc.want != "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
}

// The real server is surveyed over both protocols.
func TestLook(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		store := storeAt(dsn)
		opts, err := store.ClickHouse.Options()
		if err != nil {
			t.Fatal(err)
		}
		db, err := openDefault(t.Context(), *opts)
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
			s, err := look(t.Context(), db, flavour{database: d.Name, cluster: cluster})
			if err != nil {
				t.Fatal(err)
			}
			if s.Cloud || s.engine != engine || s.Unfit() != nil || s.Fault() != "" || slices.Contains(s.clusters, "two") != (cluster != "") || len(s.macros) > 0 != (cluster != "") {
				t.Errorf("%q: %+v", cluster, s)
			}
		}
	})
}

// applied migrates a server that is said to be another one.
func applied(t *testing.T, store Config, edit func(*survey)) error {
	t.Helper()
	m := NewMigrator(store, &bytes.Buffer{})
	m.look = func(ctx context.Context, db *sql.DB, f flavour) (*survey, error) {
		s, err := look(ctx, db, f)
		if err == nil {
			edit(s)
		}
		return s, err
	}
	return m.Apply(t.Context())
}

// A server that is refused is left as it is.
func TestApplyRefuses(t *testing.T) {
	d := clickhousetest.New(t)
	cluster := storeOf(d)
	cluster.ClickHouse.Cluster = "nowhere"
	for name, err := range map[string]error{
		"too old":         applied(t, storeOf(d), func(s *survey) { s.Version = "25.7.1.1" }),
		"unknown cluster": NewMigrator(cluster, &bytes.Buffer{}).Apply(t.Context()),
	} {
		if err == nil || !clickhouse.IsSetup(err) || !strings.Contains(err.Error(), "clickhouse at 127.0.0.1") {
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
		if err := applied(t, storeAt(dsn), func(*survey) {}); err == nil || !strings.Contains(err.Error(), "--clickhouse-cluster") {
			t.Errorf("a migration without the cluster's name: %v", err)
		}
	})
}

// ClickHouse Cloud is recognised and given what it takes; that the real server takes it as well is all that can be shown here.
func TestApplyToCloud(t *testing.T) {
	d := clickhousetest.New(t)
	for range 2 {
		if err := applied(t, storeOf(d), func(s *survey) { s.Cloud = true }); err != nil {
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
