package schema

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/internal/settings"
)

// dry returns the output of a dry run.
func dry(t *testing.T, store Config, may Permissions) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	m := NewMigrator(store, &out)
	m.May = may
	err = m.DryRun(t.Context(), false)
	return out.String(), err
}

// nobody is an address that refuses connections.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// Without a server a dry run prints all statements, and says so.
func TestDryRunWithoutServer(t *testing.T) {
	for _, scheme := range []string{"clickhouse", "http"} {
		store := Config{ClickHouse: clickhouse.Config{DSN: scheme + "://u:hunter2@" + nobody(t) + "/elsewhere"}, Retention: new(settings.Duration(48 * time.Hour))}
		said, err := dry(t, store, Permissions{})
		if err != nil {
			t.Error(err)
		}
		for _, want := range []string{
			"-- The server was not asked", "CREATE DATABASE IF NOT EXISTS elsewhere;", "-- 0001_events_raw.sql", "CREATE TABLE IF NOT EXISTS events_raw\n",
			"TTL toStartOfDay(received_at) + toIntervalSecond(259200)\n", "CREATE VIEW IF NOT EXISTS events\n(\n", "CREATE VIEW IF NOT EXISTS issues\n(\n", "CREATE VIEW IF NOT EXISTS events_per_minute\n(\n",
		} {
			if !strings.Contains(said, want) {
				t.Errorf("it does not contain %s:\n%s", want, said)
			}
		}
		if strings.Contains(said, "hunter2") {
			t.Error("it has the password")
		}
	}
}

// A dry run changes nothing, and its statements do what migrate does.
func TestDryRunIsWhatIsRun(t *testing.T) {
	empty := clickhousetest.New(t)
	said, err := dry(t, keeping(empty, 30*day), Permissions{})
	if n, _ := empty.TryAsk("default", "SELECT count() FROM system.databases WHERE name = "+clickhouse.Quote(empty.Name)); n != "0" || err != nil {
		t.Errorf("%s databases, error %v", n, err)
	}
	for i, statement := range statementsOf(said) {
		if i == 0 {
			empty.AskServer(statement)
		} else {
			empty.Ask(statement)
		}
	}
	if said := apply(t, keeping(empty, 30*day)); said != upToDate {
		t.Errorf("after the statements:\n%s", said)
	}

	d := clickhousetest.Migrated(t)
	received(d, 0, 100)
	if said, err := dry(t, storeOf(d), Permissions{}); err != nil || said != "-- nothing to run\n" {
		t.Errorf("up to date: error %v, said:\n%s", err, said)
	}
	whole := definitions(d)
	for _, drop := range []string{
		"DROP VIEW issues", "ALTER TABLE events_raw DROP COLUMN message", "ALTER TABLE events_raw DROP INDEX offset_range",
		"ALTER TABLE events_raw RESET SETTING fsync_after_insert", "CREATE OR REPLACE VIEW events_per_minute AS SELECT 1 AS one",
	} {
		d.Ask(drop)
	}
	before := definitions(d)
	said, err = dry(t, storeOf(d), Permissions{})
	if !errors.Is(err, ErrLeft) || !strings.Contains(said, "-- differs  view events_per_minute") || strings.Contains(said, "CREATE OR REPLACE") {
		t.Errorf("error %v, said:\n%s", err, said)
	}
	said, err = dry(t, storeOf(d), Permissions{ReplaceViews: true})
	if err != nil {
		t.Error(err)
	}
	if after := definitions(d); after != before {
		t.Errorf("it is\n%s\nbefore it was\n%s", after, before)
	}
	statements := statementsOf(said)
	if len(statements) != 6 {
		t.Errorf("%d statements:\n%s", len(statements), said)
	}
	for range 2 { // each may be run again
		for _, statement := range statements {
			d.Ask(statement)
		}
	}
	if after := definitions(d); after != whole {
		t.Errorf("it is\n%s\nat first it was\n%s", after, whole)
	}
}

// A dry run refuses a shorter retention as migrate does, and prints the statement if it is permitted.
func TestDryRunOfAShorterRetention(t *testing.T) {
	d := clickhousetest.New(t)
	apply(t, keeping(d, 365*day))
	received(d, 0, 100)
	for may, want := range map[bool]string{false: "-- nothing to run\n", true: "ALTER TABLE events_raw MODIFY TTL toStartOfDay(received_at) + toIntervalSecond(2678400);"} {
		said, err := dry(t, keeping(d, 30*day), Permissions{ShortenRetention: may})
		if errors.Is(err, ErrLeft) == may || !strings.Contains(said, want) || !strings.Contains(said, "-- pending  retention of events_raw: 30d is asked for, it is 365d; 1 row (") {
			t.Errorf("error %v, said:\n%s", err, said)
		}
	}
	d.Asks("SELECT count() FROM events", "2")
	ttlIs(d, ttlOf(365*day))
}

// A server that cannot be reached is reported in one sentence with the server and the setting, and without the
// password. Nothing else is printed.
func TestMigrateUnreachable(t *testing.T) {
	for _, scheme := range []string{"clickhouse", "http"} {
		addr := nobody(t)
		store := Config{ClickHouse: clickhouse.Config{DSN: scheme + "://u:hunter2@" + addr + "/db"}}
		var out bytes.Buffer
		m := NewMigrator(store, &out)
		for _, err := range []error{m.Apply(t.Context()), m.Status(t.Context())} {
			if err == nil || !strings.Contains(err.Error(), addr) || !strings.Contains(err.Error(), "--clickhouse-dsn") ||
				strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") || errors.Is(err, ErrPending) {
				t.Errorf("error %v", err)
			}
		}
		if out.Len() > 0 {
			t.Errorf("said:\n%s", &out)
		}
	}
	for _, work := range []func(*Migrator) error{
		func(m *Migrator) error { return m.Apply(t.Context()) },
		func(m *Migrator) error { return m.Status(t.Context()) },
		func(m *Migrator) error { return m.DryRun(t.Context(), false) },
	} {
		if err := work(NewMigrator(Config{ClickHouse: clickhouse.Config{DSN: "nonsense"}}, &bytes.Buffer{})); err == nil {
			t.Error("no error for a DSN that is none")
		}
	}
}
