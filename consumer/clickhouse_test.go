package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/internal/embedded"
	"sluice/internal/settings"
)

// engine is the one ClickHouse of all tests. Each test has a database of its own in it.
var engine struct {
	once sync.Once
	*embedded.Engine
	err  error
	end  context.CancelFunc
	done chan error
	dir  string
}

func startEngine() {
	if engine.dir, engine.err = os.MkdirTemp("", "sluice-consumer-test-"); engine.err != nil {
		return
	}
	engine.Engine = embedded.NewEngine(embedded.EngineConfig{TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: engine.dir, Progress: os.Stderr, Extra: testExtra})
	var ctx context.Context
	ctx, engine.end = context.WithCancel(context.Background())
	engine.done = make(chan error, 1)
	go func() { engine.done <- engine.Run(ctx) }()
	select {
	case <-engine.Ready():
	case engine.err = <-engine.done:
		engine.done <- engine.err
	}
}

func stopEngine() error {
	http.DefaultClient.CloseIdleConnections()
	if engine.done == nil {
		return nil
	}
	engine.end()
	return errors.Join(<-engine.done, os.RemoveAll(engine.dir))
}

// database is a database of one test.
type database struct {
	t    *testing.T
	name string
}

var databases atomic.Int64

// newDatabase names a database that nothing else uses, on the engine; it does not make it.
func newDatabase(t *testing.T) *database {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the ClickHouse engine; run without -short")
	}
	engine.once.Do(startEngine)
	if engine.err != nil {
		t.Fatal(engine.err)
	}
	return &database{t: t, name: fmt.Sprintf("test_%d", databases.Add(1))}
}

// migrated is a database with the schema.
func migrated(t *testing.T) *database {
	t.Helper()
	d := newDatabase(t)
	if err := NewMigrator(d.native(), io.Discard).Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *database) native() Store { return d.store("clickhouse://" + engine.TCPAddr() + "/" + d.name) }
func (d *database) http() Store   { return d.store("http://" + engine.HTTPAddr() + "/" + d.name) }

func (d *database) store(dsn string) Store {
	return Store{DSN: dsn, Retention: new(settings.Duration(90 * 24 * time.Hour))}
}

// tryAsk sends one statement to the server, in a database.
func (d *database) tryAsk(database, statement string) (string, error) {
	return query(d.t.Context(), database, statement)
}

func query(ctx context.Context, database, statement string) (string, error) {
	target := "http://" + engine.HTTPAddr() + "/?" + url.Values{"database": {database}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(statement))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(string(text))
	}
	return strings.TrimSuffix(string(text), "\n"), err
}

// askServer is ask where the test's database is not there yet.
func (d *database) askServer(statement string) {
	d.t.Helper()
	if _, err := d.tryAsk("default", statement); err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
}

// ask returns the answer to one statement, as lines of fields with tabs between them.
func (d *database) ask(statement string) string {
	d.t.Helper()
	answer, err := d.tryAsk(d.name, statement)
	if err != nil {
		d.t.Fatalf("%s: %v", statement, err)
	}
	return answer
}

// asks compares the answer to a question.
func (d *database) asks(question, want string) {
	d.t.Helper()
	if got := d.ask(question); got != want {
		d.t.Errorf("%s\n got: %s\nwant: %s", question, got, want)
	}
}

// insert writes records as one block, the way a partition does.
func (d *database) insert(store Store, records ...record) {
	d.t.Helper()
	if err := insertInto(d.t, store, blockOf(d.t, records...)); err != nil {
		d.t.Fatal(err)
	}
}

func insertInto(t *testing.T, store Store, b *block) error {
	t.Helper()
	to := newInserter(store)
	defer to.close()
	return to.insert(t.Context(), b, "")
}
