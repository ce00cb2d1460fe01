package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"sluice/internal/embedded"
)

func TestMain(m *testing.M) {
	embedded.Main()
	os.Exit(m.Run())
}

// eventsTable has the columns of sluice.events that the verifier reads, with their types.
const eventsTable = `
	CREATE TABLE sluice.events (
		project_id LowCardinality(String), event_id UUID, timestamp DateTime64(3, 'UTC'), timestamp_adjusted Bool,
		level Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5), message String,
		environment LowCardinality(String), tags Map(LowCardinality(String), String), payload String
	) ENGINE = MergeTree ORDER BY event_id`

// A real server returns the rows of a run unchanged, and no rows of another run.
func TestClickHouse(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the ClickHouse engine; run without -short")
	}
	dsn := "clickhouse://" + startEngine(t)
	unready, err := openClickHouse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unready.close() }()
	if _, err := unready.count(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "consumer migrate") {
		t.Errorf("without the schema: %v", err)
	}
	start := time.Now()
	g, other := newGenerator(1, start, 700), newGenerator(2, start, 200)
	const n = 5000
	fill(t, dsn, g, n)
	fill(t, dsn, other, 10)

	rows, err := openClickHouse(dsn) // the DSN names no database: sluice
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.close() }()
	v := &verifier{
		gen: g, ledger: &ledger{}, claimed: n, acknowledged: n, store: rows,
		timeout: time.Minute, settle: time.Millisecond, note: t.Logf,
	}
	for i := range int64(n) {
		v.ledger.add(i, acknowledged)
	}
	got, err := v.await(t.Context())
	if err != nil || got.Rows != n || got.Stored != n || got.Missing+got.Doubled+got.Altered+got.Foreign != 0 {
		t.Fatalf("error %v, %+v", err, got)
	}

	fill(t, dsn, g, 1) // a second row of the first event
	if got, err := v.compare(t.Context()); err != nil || got.Doubled != 1 {
		t.Errorf("error %v, %+v", err, got)
	}
}

func TestClickHouseAway(t *testing.T) {
	var out bytes.Buffer
	_, err := New(Config{Verify: true, ClickHouse: "clickhouse://127.0.0.1:1/sluice?dial_timeout=1s"}, &out, &out).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") || out.Len() > 0 {
		t.Errorf("error %v, output %q", err, out.String())
	}
	if _, err := openClickHouse("::secret::"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("error %v", err)
	}
}

// startEngine returns the address of an engine that stops with the test.
func startEngine(t *testing.T) string {
	t.Helper()
	engine := embedded.NewEngine(embedded.EngineConfig{TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: t.TempDir()})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running errgroup.Group
	failed := make(chan error, 1)
	running.Go(func() error {
		err := engine.Run(ctx)
		failed <- err
		return err
	})
	t.Cleanup(func() {
		cancel()
		_ = running.Wait() // the test has already reported a failed start
	})
	select {
	case <-engine.Ready():
	case err := <-failed:
		if errors.Is(err, embedded.ErrNoEngine) {
			t.Skipf("no ClickHouse engine on this machine: %v", err)
		}
		t.Fatalf("start the engine: %v", err)
	}
	return engine.TCPAddr()
}

// fill creates the table if it is missing and inserts events 0 to n-1 as the consumer does.
func fill(t *testing.T, dsn string, g generator, n int64) {
	t.Helper()
	opts, err := clickhouse.ParseDSN(dsn + "/default")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := clickhouse.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, statement := range []string{"CREATE DATABASE IF NOT EXISTS sluice", strings.Replace(eventsTable, "TABLE", "TABLE IF NOT EXISTS", 1)} {
		if err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO sluice.events")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		raw := g.append(nil, i)
		r := toRow(t, raw)
		var e struct{ Tags map[string]string }
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		err := batch.Append(r.project, r.id, time.UnixMilli(r.millis), false, r.level, r.message, r.environment, e.Tags, r.payload)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := batch.Send(); err != nil {
		t.Fatal(err)
	}
}
