package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// An operator's day with `consumer migrate`: what is not given stays, what removes rows needs a flag, what is missing
// is made.
func TestMigrateAsAnOperator(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, 1)
	p.settled = true // its rows have no records
	migrate := func(wantCode int, wantSaid string, flags ...string) {
		t.Helper()
		code, said := runs(t, "consumer", append([]string{"migrate", "--clickhouse-dsn", p.dsn}, flags...)...)
		if code != wantCode || !strings.Contains(said, wantSaid) {
			t.Errorf("migrate %v: %d, want %d and %q:\n%s", flags, code, wantCode, wantSaid, said)
		}
	}
	do := func(statement string) {
		t.Helper()
		if err := p.db.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	rows := func(want uint64) {
		t.Helper()
		do("OPTIMIZE TABLE events_raw FINAL")
		if n := p.scalar("SELECT count() FROM events"); n != want {
			t.Errorf("%d rows, want %d", n, want)
		}
	}
	migrate(0, "events are kept for 365d", "--retention", "365d")
	do("INSERT INTO events_raw (project_id, event_id, received_at) SELECT 'e2e', generateUUIDv4(), now64(3) - INTERVAL 120 DAY FROM numbers(1000)")
	migrate(0, "schema is up to date")
	migrate(0, "retention of events_raw: 365d", "--status")
	rows(1000)
	migrate(1, "--shorten-retention", "--retention", "90d")
	migrate(1, "1000 rows", "--retention", "90d", "--status")
	migrate(1, "1000 rows", "--retention", "90d", "--dry-run")
	for _, odd := range []string{"0", "0d", "-90d", "90", "1.5d", "18251d", "4000000d", ""} {
		migrate(1, "--retention", "--retention="+odd)
	}
	rows(1000)
	migrate(0, "1000 rows", "--retention", "90d", "--shorten-retention")
	rows(0)
	migrate(0, "schema is up to date", "--shorten-retention")
	do("INSERT INTO events_raw (project_id, event_id, received_at) SELECT ['demo', 'shop'][1 + number % 2], generateUUIDv4(), now64(3) - INTERVAL 20 DAY FROM numbers(100)")
	migrate(1, "50 rows", "--project-retention", "demo=7d,shop=100d")
	migrate(1, "50 rows", "--project-retention", "demo=7d,shop=100d", "--dry-run")
	rows(100)
	file := filepath.Join(t.TempDir(), "consumer.yaml")
	if err := os.WriteFile(file, []byte("project-retention: demo=7d,shop=100d\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	migrate(0, "events are kept for 90d, demo 7d, shop 100d after", "--config", file, "--shorten-retention")
	rows(50)
	migrate(0, "retention of events_raw: 90d, demo 7d, shop 100d", "--status")
	migrate(0, "schema is up to date", "--config", file)
	migrate(0, "counts of outcomes are kept for 400d", "--outcomes-retention", "400d")
	migrate(1, "shop 100d) would remove 0 rows", "--project-retention", "none")
	migrate(0, "events are kept for 90d after", "--project-retention", "none", "--shorten-retention")
	do("TRUNCATE TABLE events_raw")

	do("DROP VIEW issues")
	do("CREATE OR REPLACE VIEW events_per_minute AS SELECT 1 AS one")
	migrate(1, "missing  view issues", "--status")
	migrate(1, "CREATE VIEW IF NOT EXISTS issues", "--dry-run")
	migrate(1, "missing  view issues", "--status")
	migrate(1, "differs  view events_per_minute")
	migrate(0, "CREATE OR REPLACE VIEW events_per_minute", "--dry-run", "--replace-views")
	migrate(0, "replaced view events_per_minute", "--replace-views")
	migrate(0, "there    view events_per_minute", "--status")
}

// sluice dev starts on a data folder in which tables and views were dropped or changed: it makes what is missing, says
// what differs, and leaves rows and retention alone.
func TestDevOnAChangedFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var db clickhouse.Conn
	var url string
	dev := func(flags ...string) *program {
		t.Helper()
		ch := free(t)
		d := start(t, "sluice", append([]string{"dev", "--data-dir", dir, "--kafka-addr", free(t), "--clickhouse-addr", ch, "--clickhouse-http-addr", free(t),
			"--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--consumer-admin-addr", "127.0.0.1:0", "--flush-age", "200ms"}, flags...)...)
		url = "http://" + d.says(`msg="gateway serves" addr=(\S+)`)
		d.says(`^ready in`)
		var err error
		if db, err = clickhouse.Open(&clickhouse.Options{Addr: []string{ch}, Auth: clickhouse.Auth{Database: "sluice"}}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return d
	}
	stop := func(d *program) {
		t.Helper()
		_ = db.Close()
		if code := d.term(); code != 0 {
			t.Fatalf("it ended with %d\n%s", code, d.output())
		}
	}
	do := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if err := db.Exec(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	arrives := func(message string) {
		t.Helper()
		if status := devPost(t, url, message); status != http.StatusAccepted {
			t.Fatalf("answered %d", status)
		}
		p := &pipeline{t: t, db: db}
		p.eventually("the row", func() bool {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			var n uint64
			return db.QueryRow(ctx, "SELECT count() FROM events WHERE message = '"+message+"'").Scan(&n) == nil && n == 1
		})
	}
	kept := func(want string) {
		t.Helper()
		var ttl string
		if err := db.QueryRow(t.Context(), "SELECT extract(engine_full, 'TTL (.*) SETTINGS') FROM system.tables WHERE database = 'sluice' AND name = 'events_raw'").Scan(&ttl); err != nil || ttl != want {
			t.Errorf("TTL %s, want %s, error %v", ttl, want, err)
		}
	}
	const year, quarter = "toStartOfDay(received_at) + toIntervalSecond(31622400)", "toStartOfDay(received_at) + toIntervalSecond(7862400)"

	d := dev("--retention", "365d")
	arrives("first")
	kept(year)
	do("INSERT INTO events_raw (project_id, event_id, received_at) SELECT 'demo', generateUUIDv4(), now64(3) - INTERVAL 120 DAY FROM numbers(10)",
		"DROP VIEW events", "DROP VIEW issues", "ALTER TABLE events_raw DROP COLUMN trace_id", "CREATE OR REPLACE VIEW events_per_minute AS SELECT 1 AS one")
	stop(d)

	d = dev()
	arrives("second")
	kept(year)
	d.says("schema differs.*events_per_minute")
	stop(d)

	d = dev("--retention", "30d") // shorter: said, and left
	d.says("schema differs.*--shorten-retention")
	kept(year)
	var rows uint64
	if err := db.QueryRow(t.Context(), "SELECT count() FROM events").Scan(&rows); err != nil || rows != 12 {
		t.Errorf("%d rows, error %v", rows, err)
	}
	do("DROP TABLE events_raw SYNC", "DROP VIEW issues")
	stop(d)

	d = dev()
	arrives("third")
	kept(quarter)
	do("DROP DATABASE sluice SYNC")
	stop(d)

	d = dev()
	arrives("fourth")
	// A level that does not exist is an error in dev, and not an empty answer.
	for _, condition := range []string{"level >= 'critical'", "level = 'ERROR'", "level IN ('warn')"} {
		if err := db.Exec(t.Context(), "SELECT count() FROM events WHERE "+condition); err == nil || !strings.Contains(err.Error(), "Unknown element") {
			t.Errorf("%s: %v", condition, err)
		}
	}
	stop(d)
}

// devPost sends an event to the project of sluice dev.
func devPost(t *testing.T, url, message string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/v1/events", strings.NewReader(fmt.Sprintf(`{"message":%q}`, message)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", "dev-key")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only the status counts
	return resp.StatusCode
}
