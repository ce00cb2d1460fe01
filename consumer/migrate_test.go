package consumer

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/internal/settings"
)

// apply migrates and returns what was said.
func apply(t *testing.T, store Store) string {
	t.Helper()
	var out bytes.Buffer
	if err := NewMigrator(store, &out).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// status asks for the state and returns what was said.
func status(t *testing.T, store Store) (pending int, said string) {
	t.Helper()
	var out bytes.Buffer
	pending, err := NewMigrator(store, &out).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return pending, out.String()
}

func schemaFiles(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := fs.Glob(schema, "schema/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal("no schema", err)
	}
	for _, name := range names {
		text, err := schema.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(name, "schema/")] = string(text)
	}
	return all
}

// A migration that is run again does nothing and says so; the status tells before from after. Over both protocols.
func TestMigrateTwice(t *testing.T) {
	overBoth(t, func(t *testing.T, d *database, dsn func(string) string) {
		store := d.store(dsn(""))
		all := schemaFiles(t)
		for _, before := range []string{"SELECT 1", "CREATE DATABASE " + d.name} { // without the database, and with it
			d.askServer(before)
			if pending, said := status(t, store); pending != len(all) || strings.Count(said, "pending") != len(all) {
				t.Errorf("%d pending before, want %d:\n%s", pending, len(all), said)
			}
		}
		said := apply(t, store)
		for name := range all {
			if !strings.Contains(said, "applied "+name) {
				t.Errorf("%s is not said to be applied:\n%s", name, said)
			}
		}
		if again := apply(t, store); again != "schema is up to date\n" {
			t.Errorf("the second time says:\n%s", again)
		}
		if pending, said := status(t, store); pending != 0 || strings.Count(said, "applied") != len(all) {
			t.Errorf("%d pending after:\n%s", pending, said)
		}
		d.asks("SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('events_raw', 'events', 'issues', 'events_per_minute')", "4")
	})
}

// Every statement may be run again: a migration can be interrupted between a statement and the note that it was applied.
func TestMigrateAfterInterruption(t *testing.T) {
	d := migrated(t)
	d.insert(d.native(), plain(1))
	d.ask("DROP TABLE " + migrationsTable + " SYNC")
	said := apply(t, d.native())
	if strings.Count(said, "applied ") != len(schemaFiles(t)) {
		t.Errorf("not all were applied again:\n%s", said)
	}
	d.asks("SELECT count() FROM events", "1")
	// Half of it there, half of it not.
	d.ask("DROP TABLE " + migrationsTable + " SYNC")
	d.ask("DROP VIEW issues")
	apply(t, d.native())
	d.asks("SELECT events FROM issues", "1")
}

// A migration is one statement, and says that goose must not wrap it into a transaction, which ClickHouse has none of.
func TestOneStatementAMigration(t *testing.T) {
	for name, text := range schemaFiles(t) {
		if !strings.HasPrefix(text, "-- +goose NO TRANSACTION\n-- +goose Up\n") {
			t.Errorf("%s begins otherwise than a migration should", name)
		}
		statements := 0
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "--") {
				statements += strings.Count(line, ";")
			}
		}
		if statements != 1 || !strings.Contains(text, " IF NOT EXISTS ") {
			t.Errorf("%s has %d statements, or one that is not safe to run again", name, statements)
		}
	}
}

// A dry run prints all of it and needs no server.
func TestDryRun(t *testing.T) {
	var out bytes.Buffer
	store := Store{DSN: "clickhouse://127.0.0.1:1/elsewhere", Retention: settings.Duration(48 * time.Hour)}
	if err := NewMigrator(store, &out).DryRun(false); err != nil {
		t.Fatal(err)
	}
	said := out.String()
	wants := []string{"CREATE DATABASE IF NOT EXISTS elsewhere;", "ALTER TABLE events_raw MODIFY TTL toDateTime(received_at) + toIntervalSecond(172800);"}
	for name, text := range schemaFiles(t) {
		wants = append(wants, name, text)
	}
	for _, want := range wants {
		if !strings.Contains(said, want) {
			t.Errorf("it does not contain:\n%s", want)
		}
	}
}

// The retention follows the setting, at each migration, and nothing is altered when it is the same.
func TestRetention(t *testing.T) {
	d := newDatabase(t)
	store := d.native()
	ttl := func(seconds int) {
		t.Helper()
		d.asks("SELECT extract(engine_full, 'TTL .* SETTINGS') FROM system.tables WHERE database = currentDatabase() AND name = 'events_raw'",
			fmt.Sprintf("TTL toDateTime(received_at) + toIntervalSecond(%d) SETTINGS", seconds))
	}
	for _, c := range []struct {
		days    int
		changed bool
	}{{90, true}, {90, false}, {9, true}, {900, true}, {90, true}} {
		store.Retention = settings.Duration(time.Duration(c.days) * 24 * time.Hour)
		if said := apply(t, store); strings.Contains(said, "events are kept for") != c.changed {
			t.Errorf("%d days, want a change: %v; said:\n%s", c.days, c.changed, said)
		}
		ttl(c.days * 86400)
	}
}

// Retention counts from the receipt: an event with an old timestamp that came today stays, one that came long ago goes.
func TestRetentionCountsFromReceipt(t *testing.T) {
	d := migrated(t)
	now := time.Now()
	d.insert(d.native(),
		fromGateway(0, "demo", idV4(0), now, `{"message":"old time","timestamp":"2021-01-01T00:00:00Z"}`),
		fromGateway(1, "demo", idV4(1), now.AddDate(0, 0, -89), `{"message":"nearly"}`),
		fromGateway(2, "demo", idV4(2), now.AddDate(0, 0, -91), `{"message":"over"}`),
	)
	d.ask("OPTIMIZE TABLE events_raw FINAL")
	d.asks("SELECT groupArray(_offset) FROM (SELECT _offset FROM events ORDER BY _offset)", "[0,1]")
}

// A server that is not there is said in one sentence that names it and the setting, and not the password.
func TestMigrateUnreachable(t *testing.T) {
	store := Store{DSN: "clickhouse://u:hunter2@127.0.0.1:1/db", Retention: settings.Duration(24 * time.Hour)}
	m := NewMigrator(store, &bytes.Buffer{})
	_, statusErr := m.Status(t.Context())
	for _, err := range []error{m.Apply(t.Context()), statusErr} {
		if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(err.Error(), "--clickhouse-dsn") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("error %v", err)
		}
	}
	if err := NewMigrator(Store{DSN: "nonsense"}, &bytes.Buffer{}).Apply(t.Context()); err == nil {
		t.Error("no error for a DSN that is none")
	}
}

// lines collects what is logged.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A consumer that starts before the schema waits, says what to do once, and goes on by itself when it was done. No start
// order has to be kept.
func TestMigrateLater(t *testing.T) {
	d := newDatabase(t)
	topic, table := newMemory(t)
	topic.add(10)
	for offset := range int64(10) {
		table.rows[offset] = 1 // the rows go elsewhere in this test
	}
	log := &lines{}
	real := newPool(d.native(), slog.New(slog.DiscardHandler))
	t.Cleanup(real.close)
	w := newWorker(t, func(w *worker) {
		w.topic, w.kafka, w.ledger, w.graves = topic, topic, topic, topic
		w.partition.table, w.table = real, table
		w.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.startUnbubbled()
	waitUntil(t, "blocked by the set-up", func() bool { return w.blocked(blockedSetup) == 1 })
	d.askServer("CREATE DATABASE " + d.name) // now it is the table that is missing
	waitUntil(t, "a try without the table", func() bool { return strings.Contains(log.String(), "UNKNOWN_TABLE") })
	apply(t, d.native())
	waitUntil(t, "the commit", func() bool { return w.happened("commit 10") == 1 })
	if w.blocked(blockedSetup) != 0 {
		t.Error("still blocked")
	}
	if n := strings.Count(log.String(), "run `consumer migrate`"); n != 1 {
		t.Errorf("the hint was given %d times, want once:\n%s", n, log)
	}
	d.asks("SELECT count() FROM events", "10")
}
