package schema

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/internal/settings"
)

var updateGolden = flag.Bool("schema.golden", false, "write the golden files of the schema's renderings anew")

// renderings are the schema for each variant, as a dry run prints it.
func renderings(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, f := range map[string]variant{"plain": {}, "cluster": {Cluster: "my-cluster_1.a"}, "cloud": {Cloud: true}} {
		store := Config{ClickHouse: clickhouse.Config{DSN: "clickhouse://127.0.0.1:1/elsewhere", Cluster: f.Cluster}, Retention: new(settings.Duration(48 * time.Hour))}
		var said bytes.Buffer
		if err := NewMigrator(store, &said).printAll(f.Cloud); err != nil {
			t.Fatal(err)
		}
		out[name] = said.String()
	}
	return out
}

// The schema of each variant is written down, so that a review shows a change. Comments are left out.
func TestRenderings(t *testing.T) {
	for name, text := range renderings(t) {
		var lines strings.Builder
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "--") {
				lines.WriteString(line)
			}
		}
		if *updateGolden {
			if err := os.WriteFile(clickhousetest.SchemaFile(name), []byte(lines.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want := clickhousetest.Schema(name)
		if lines.String() != want && !*updateGolden {
			t.Errorf("%s is\n%s\nwant\n%s", name, &lines, want)
		}
	}
}

// ClickHouse's own parser accepts every statement of every variant, and writes back the words that matter.
func TestRenderingsParse(t *testing.T) {
	d := clickhousetest.New(t)
	for name, text := range renderings(t) {
		statements := statementsOf(text)
		if want := map[string]int{"plain": 8, "cluster": 10, "cloud": 8}[name]; len(statements) != want {
			t.Errorf("%s has %d statements, want %d", name, len(statements), want)
		}
		for _, statement := range statements {
			back, err := d.TryAsk("default", "SELECT formatQuerySingleLine("+clickhouse.Quote(statement)+") FORMAT TSVRaw")
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, statement)
				continue
			}
			if _, err := d.TryAsk("default", "EXPLAIN AST "+statement); err != nil {
				t.Errorf("%s: %v\n%s", name, err, statement)
			}
			if on := strings.Contains(back, " ON CLUSTER `my-cluster_1.a`"); on != (name == "cluster") {
				t.Errorf("%s: on the cluster is %v:\n%s", name, on, back)
			}
			if replicated := strings.Contains(back, "Replicated"); replicated && name != "cluster" {
				t.Errorf("%s: replicated:\n%s", name, back)
			}
		}
	}
}

// statementsOf splits a text into its statements, without comments.
func statementsOf(text string) []string {
	var lines strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			lines.WriteString(line)
		}
	}
	var out []string
	for statement := range strings.SplitSeq(lines.String(), ";") {
		if s := strings.TrimSpace(statement); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// A file whose statement could harm is an error, and is not sent.
func TestRenderRefuses(t *testing.T) {
	for _, text := range []string{
		"ALTER TABLE events_raw ADD COLUMN IF NOT EXISTS x String;\n",
		"CREATE TABLE IF NOT EXISTS t\n(x String)\nENGINE = Memory;\n",
		"CREATE TABLE IF NOT EXISTS t\n(x String)\nENGINE = MergeTree()\nORDER BY x;\n", // no window of tokens
		"CREATE VIEW IF NOT EXISTS a AS\nSELECT 1;\nCREATE VIEW IF NOT EXISTS b AS\nSELECT 1;\n",
		"",
	} {
		for _, f := range []variant{{}, {Cluster: "c"}, {Cloud: true}} {
			if got, err := f.render("-- A comment.\n" + text); err == nil {
				t.Errorf("%+v makes of %q\n%s", f, text, got)
			}
		}
	}
}

// A dry run for ClickHouse Cloud and a cluster at once is refused.
func TestDryRunOfBoth(t *testing.T) {
	var out bytes.Buffer
	err := NewMigrator(Config{ClickHouse: clickhouse.Config{DSN: clickhouse.DefaultDSN, Cluster: "c"}}, &out).DryRun(t.Context(), true)
	if err == nil || !strings.Contains(err.Error(), "--clickhouse-cluster") || out.Len() > 0 {
		t.Errorf("error %v, said %s", err, &out)
	}
}
