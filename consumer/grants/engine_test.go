package grants

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"sluice/consumer/clickhouse"
	"sluice/consumer/schema"
	"sluice/internal/embedded"
)

// The two projects. Nothing of bank's may be seen by who sees shop only.
const (
	shop = "shop"
	bank = "bank-9c41"
)

// users are the users of the engine. Those from unfiltered on lack a guard: a test that an attempt fails also makes it
// as one of them, for whom it must succeed.
var users = []user{
	{name: "ann", roles: []string{"analyst_shop"}},
	{name: "both", roles: []string{"analyst_shop", "analyst_bank"}},
	{name: "every", roles: []string{"analyst_all"}},
	{name: "nobody", roles: []string{"analyst"}},
	{name: "sluice", roles: []string{"ingest"}},

	{
		name: "spread", roles: []string{"analyst_shop"}, profile: "free",
		rights: []string{"SELECT ON sluice.spread", "SELECT ON sluice.spread_secret"},
	},
	{name: "sly", roles: []string{"analyst_shop"}, rights: []string{"SELECT ON sluice.events_raw"}},
	{name: "unfiltered", roles: []string{"analyst_shop"}, noPolicies: true},
	{name: "indexes", roles: []string{"analyst_shop"}, noFunctions: true},
	{name: "changing", roles: []string{"analyst_shop"}, profile: "changing"},
	{name: "free", roles: []string{"analyst_shop"}, profile: "free"},
	{name: "mighty", roles: []string{"analyst_shop"}, profile: "free", rights: []string{"ALL ON *.*"}},
}

var access = Config{Analysts: []string{"shop=" + shop, "bank=" + bank, "all=*"}}

// lab is the engine, started by the first test that asks for it.
var lab struct {
	once   sync.Once
	engine *embedded.Engine
	err    error
	end    context.CancelFunc
	done   chan error
	dir    string
}

func TestMain(m *testing.M) {
	embedded.Main()
	code := m.Run()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if lab.done != nil {
		lab.end()
		if err := <-lab.done; err != nil {
			fmt.Fprintln(os.Stderr, "stop the engine:", err)
			code = 1
		}
		_ = os.RemoveAll(lab.dir)
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// granted is a storage with the access of the tests.
func granted(t testing.TB) *storage {
	t.Helper()
	s := newStorage(t)
	s.applied(access, single)
	return s
}

// needEngine starts the engine with the users, makes the schema and inserts rows. A short run skips the test.
func needEngine(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the ClickHouse engine; run without -short")
	}
	lab.once.Do(func() { lab.err = startEngine(t) })
	require.NoError(t, lab.err)
}

func startEngine(t testing.TB) (err error) {
	if lab.dir, err = os.MkdirTemp("", "sluice-grants-test-"); err != nil {
		return err
	}
	path := filepath.Join(lab.dir, "users.xml")
	if err := os.WriteFile(path, []byte(granted(t).xml(append(users, less...))), 0o600); err != nil {
		return err
	}
	server := func(port string) string { return "<replica><host>127.0.0.1</host><port>" + port + "</port></replica>" }
	lab.engine = embedded.NewEngine(embedded.EngineConfig{
		TCPAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", DataDir: lab.dir, Progress: os.Stderr,
		Extra: func(port string) string {
			return "<remote_servers><two><shard>" + server(port) + server(port) + "</shard></two>" +
				"<plain><shard>" + server(port) + "</shard></plain>" +
				"<secret><secret>hunter2</secret><shard>" + server(port) + "</shard></secret></remote_servers>" +
				"<users_config>" + path + "</users_config>"
		},
	})
	ctx, end := context.WithCancel(context.Background())
	lab.end, lab.done = end, make(chan error, 1)
	go func() { lab.done <- lab.engine.Run(ctx) }()
	select {
	case <-lab.engine.Ready():
	case err := <-lab.done:
		lab.done <- err
		return err
	}
	m := schema.NewMigrator(schema.Config{ClickHouse: reach("default")}, io.Discard)
	if err := m.Apply(ctx); err != nil {
		return err
	}
	for _, statement := range fixture {
		if body, code := ask("default", statement); code != "" {
			return fmt.Errorf("%s: %s", statement, body)
		}
	}
	return nil
}

// fixture are rows of the two projects, a resend of each event, counts, and what the attempts need besides.
var fixture = func() []string {
	rows := `INSERT INTO events_raw (project_id, event_id, id_time, timestamp, received_at, level, message, user_id, user_email, tags, payload)
SELECT if(number % 3 = 0, '` + shop + `', '` + bank + `'), toUUID(concat('00000000-0000-7000-8000-', leftPad(toString(number), 12, '0'))),
	toDateTime('2026-11-01 12:00:00') + number % 7200, toDateTime64('2026-11-01 12:00:00', 3) + number % 7200,
	toDateTime64('2026-11-01 12:00:01', 3), 'error',
	if(number % 3 = 0, concat('hello ', toString(number)), concat('qzebra ', toString(number))),
	toString(number), if(number % 3 = 0, 'ann@shop.example', 'mallory@qvault.example'),
	map('host', if(number % 3 = 0, 'a', 'qvault-1')), if(number % 3 = 0, '{"a":1}', '{"pin":471199}')
FROM numbers(30000) SETTINGS max_partitions_per_insert_block = 300`
	return []string{
		"ALTER TABLE events_raw MODIFY TTL received_at + INTERVAL 100 YEAR",
		"ALTER TABLE events_raw ADD INDEX words message TYPE text(tokenizer = 'splitByNonAlpha')",
		"SYSTEM STOP MERGES events_raw",
		rows, rows,
		`INSERT INTO outcomes_raw (project_id, minute, protocol, outcome, reason, source, events)
SELECT if(number % 3 = 0, '` + shop + `', '` + bank + `'), toDateTime('2026-11-01 12:00:00'), 'native', 'rejected',
	if(number % 3 = 0, 'unavailable', 'qvault_full'), generateUUIDv4(), 1 FROM numbers(30)`,
		"CREATE TABLE spread_secret AS events_raw ENGINE = Distributed('secret', 'sluice', 'events_raw')",
		"CREATE TABLE spread AS events_raw ENGINE = Distributed('plain', 'sluice', 'events_raw')",
		"CREATE DATABASE other",
		"CREATE TABLE other.secrets (word String) ENGINE = MergeTree ORDER BY word",
		"INSERT INTO other.secrets VALUES ('qzebra')",
	}
}()

// marks are in rows of bank's and nowhere else.
var marks = []string{bank, "qzebra", "mallory@", "qvault", "471199"}

// reach is the engine for a user.
func reach(name string) clickhouse.Config {
	return clickhouse.Config{DSN: "clickhouse://" + name + "@" + lab.engine.TCPAddr() + "/sluice"}
}

// ask sends a statement as a user, with URL parameters such as "role=analyst_all", and returns the answer with
// ClickHouse's code of an error.
func ask(name, statement string, params ...string) (body, code string) {
	query := "user=" + name + "&database=sluice&" + strings.Join(params, "&")
	target := url.URL{Scheme: "http", Host: lab.engine.HTTPAddr(), Path: "/", RawQuery: query}
	client := http.Client{Timeout: time.Minute}
	resp, err := client.Post(target.String(), "text/plain", bytes.NewBufferString(statement))
	if err != nil {
		return err.Error(), "none"
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error(), "none"
	}
	body, code = strings.TrimSpace(string(text)), resp.Header.Get("X-ClickHouse-Exception-Code")
	if code == "" && strings.Contains(body, "DB::Exception: ") && strings.Contains(body, "Code: ") {
		_, rest, _ := strings.Cut(body, "Code: ") // after the answer began
		code, _, _ = strings.Cut(rest, ".")
	}
	return body, code
}
