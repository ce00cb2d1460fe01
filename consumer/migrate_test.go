package consumer

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
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

// upToDate is what is said when there is nothing to do.
const upToDate = "schema is up to date\n"

// status asks for the state and returns what was said.
func status(t *testing.T, store Store) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	err = NewMigrator(store, &out).Status(t.Context())
	return out.String(), err
}

// objects are what a migrated database has.
var objects = []string{"table events_raw", "view events", "view issues", "view events_per_minute"}

// A migration that is run again does nothing and says so; the status tells before from after. Over both protocols.
func TestMigrateTwice(t *testing.T) {
	overBoth(t, func(t *testing.T, d *database, dsn func(string) string) {
		store := d.store(dsn(""))
		for _, c := range []struct {
			before  string
			missing int
		}{{"SELECT 1", len(objects) + 1}, {"CREATE DATABASE " + d.name, len(objects)}} { // without the database, and with it
			d.askServer(c.before)
			if said, err := status(t, store); !errors.Is(err, ErrPending) || strings.Count(said, "missing") != c.missing {
				t.Errorf("%v before, want %d missing:\n%s", err, c.missing, said)
			}
		}
		said := apply(t, store)
		for _, object := range objects {
			if !strings.Contains(said, "made "+object+"\n") {
				t.Errorf("%s is not said to be made:\n%s", object, said)
			}
		}
		if again := apply(t, store); again != upToDate {
			t.Errorf("the second time says:\n%s", again)
		}
		said, err := status(t, store)
		if err != nil || strings.Count(said, "there ") != len(objects)+2 || !strings.Contains(said, "retention of events_raw: 90d\n") {
			t.Errorf("%v after:\n%s", err, said)
		}
		d.asks("SELECT count() FROM system.tables WHERE database = currentDatabase()", "4")
	})
}

// A file of the schema is one statement that is safe to run again.
func TestOneStatementAFile(t *testing.T) {
	names, err := fs.Glob(schemaFiles, "schema/*.sql")
	if err != nil || len(names) == 0 {
		t.Fatal("no schema", err)
	}
	for _, name := range names {
		text, err := schemaFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if all := statementsOf(string(text)); len(all) != 1 || !strings.Contains(all[0], " IF NOT EXISTS ") {
			t.Errorf("%s has %d statements, or one that is not safe to run again", name, len(all))
		}
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
