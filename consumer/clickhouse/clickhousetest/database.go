package clickhousetest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Database is a database of one test.
type Database struct {
	Name string
	T    testing.TB
}

var databases atomic.Int64

// New names a database that nothing else uses. It does not make the database.
func New(tb testing.TB) *Database {
	tb.Helper()
	Engine(tb)
	return &Database{T: tb, Name: fmt.Sprintf("test_%d", databases.Add(1))}
}

// Named is a database of a given name, which must not be there.
func Named(tb testing.TB, name string) *Database {
	tb.Helper()
	Engine(tb)
	return &Database{T: tb, Name: name}
}

// Migrated makes a database with the schema of a single server.
func Migrated(tb testing.TB) *Database {
	tb.Helper()
	d := New(tb)
	d.Migrate()
	return d
}

// Migrate makes the database, unless it is there, and the schema of a single server in it.
func (d *Database) Migrate() {
	d.T.Helper()
	for i, statement := range Statements("plain", d.Name) {
		if i == 0 {
			d.AskServer(statement)
		} else {
			d.Ask(statement)
		}
	}
}

// NewShard makes a database that stands for one server of a cluster: it has the tables events_local and outcomes_local.
func NewShard(tb testing.TB) *Database {
	tb.Helper()
	d := New(tb)
	d.AskServer("CREATE DATABASE " + d.Name)
	for _, statement := range ClusterTables(d.Name) {
		if strings.HasPrefix(statement, "CREATE TABLE") && strings.Contains(statement, "_local\n(") {
			d.Ask(statement)
		}
	}
	return d
}

// Native is the database's DSN over the native protocol.
func (d *Database) Native() string { return "clickhouse://" + shared.engine.TCPAddr() + "/" + d.Name }

// HTTP is the database's DSN over HTTP.
func (d *Database) HTTP() string { return "http://" + shared.engine.HTTPAddr() + "/" + d.Name }

// OfUser returns the database's DSNs for one of the engine's users, by protocol: see config.go.
func (d *Database) OfUser(user string) map[string]string {
	return map[string]string{
		"native": "clickhouse://" + user + "@" + shared.engine.TCPAddr() + "/" + d.Name,
		"http":   "http://" + user + "@" + shared.engine.HTTPAddr() + "/" + d.Name,
	}
}

// TryAsk sends one statement to the engine, in a database.
func (d *Database) TryAsk(database, statement string) (string, error) {
	return Query(d.T.Context(), database, statement)
}

// AskServer is Ask where the test's database is not there yet.
func (d *Database) AskServer(statement string) {
	d.T.Helper()
	if _, err := d.TryAsk("default", statement); err != nil {
		d.T.Fatalf("%s: %v", statement, err)
	}
}

// Ask returns the answer to one statement, as lines of fields with tabs between them.
func (d *Database) Ask(statement string) string {
	d.T.Helper()
	answer, err := d.TryAsk(d.Name, statement)
	if err != nil {
		d.T.Fatalf("%s: %v", statement, err)
	}
	return answer
}

// Asks compares the answer to a question.
func (d *Database) Asks(question, want string) {
	d.T.Helper()
	if got := d.Ask(question); got != want {
		d.T.Errorf("%s\n got: %s\nwant: %s", question, got, want)
	}
}

// Until asks a question until the answer is the one wanted.
func (d *Database) Until(question, want string) {
	d.T.Helper()
	deadline := time.NewTimer(40 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for d.Ask(question) != want {
		select {
		case <-tick.C:
		case <-deadline.C:
			d.T.Fatalf("not in 40 s: %s is %s", question, want)
		}
	}
}

// OverBoth runs a test for each protocol, with a database of its own and that database's DSN.
func OverBoth(t *testing.T, test func(t *testing.T, d *Database, dsn string)) {
	t.Helper()
	t.Run("native", func(t *testing.T) {
		d := New(t)
		test(t, d, d.Native())
	})
	t.Run("http", func(t *testing.T) {
		d := New(t)
		test(t, d, d.HTTP())
	})
}
