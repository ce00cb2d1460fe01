package erase

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows"
	"sluice/consumer/rows/rowstest"
	"sluice/internal/erasure"
	"sluice/internal/event"
	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }

// databaseOf is the database of a test.
func databaseOf(t *testing.T, dsn string) *database {
	t.Helper()
	db, err := openDatabase(clickhouse.Config{DSN: dsn})
	require.NoError(t, err)
	t.Cleanup(db.close)
	return db
}

// TestTreatments: an erasure says what it does about every table of the schema, on a server and on a cluster.
func TestTreatments(t *testing.T) {
	plain := clickhousetest.Migrated(t)
	cluster := clickhousetest.New(t)
	cluster.AskServer("CREATE DATABASE " + cluster.Name)
	for _, statement := range clickhousetest.ClusterTables(cluster.Name) {
		cluster.Ask(statement)
	}
	seen := map[string]bool{}
	for _, d := range []*clickhousetest.Database{plain, cluster} {
		for _, line := range strings.Split(d.Ask("SELECT name, engine FROM system.tables WHERE database = currentDatabase()"), "\n") {
			name, engine, _ := strings.Cut(line, "\t")
			treatment := Treatments[name]
			assert.NotZero(t, treatment, "%s: decide what an erasure does about it, in Treatments", name)
			if engine != "Distributed" {
				assert.Equal(t, engine == "View", treatment == ReadsOthers, "%s: %s", name, engine)
			}
			seen[name] = true
		}
	}
	for name := range Treatments {
		assert.True(t, seen[name], "%s is not in the schema", name)
	}
}

// randomRecord is an event of a user, at a time around the erasure, with every kind of id, timestamp and clock.
func randomRecord(rnd *rand.Rand, offset int64, at time.Time, user string) rowstest.Record {
	near := func() time.Time {
		spread := []time.Duration{5 * time.Millisecond, 4 * time.Second, 3 * time.Hour, 200 * 24 * time.Hour}[rnd.IntN(4)]
		return at.Add(time.Duration(rnd.Int64N(int64(2*spread))) - spread).Truncate(time.Millisecond)
	}
	received := near()
	id := rowstest.IDAt(near(), rnd.Uint64())
	if rnd.IntN(2) == 0 {
		id[6] = id[6]&0x0F | 0x40 // a version that tells no time
	}
	stamp := ""
	switch rnd.IntN(5) {
	case 0, 1:
		stamp = fmt.Sprintf(`,"timestamp":%q`, near().Format(time.RFC3339Nano))
	case 2:
		stamp = `,"timestamp":"not a time"`
	case 3:
		stamp = fmt.Sprintf(`,"timestamp":%q`, received.Format(time.RFC3339Nano))
	}
	own := ""
	if rnd.IntN(2) == 0 {
		own = fmt.Sprintf(`"event_id":%q,`, id)
	}
	r := rowstest.From(offset, "p", id, received, fmt.Sprintf(`{%s"message":"m","user":%s%s}`, own, user, stamp))
	if rnd.IntN(3) == 0 {
		r.Envelope.SentAt = near()
	}
	return r
}

// TestConditionIsTheRule: ClickHouse deletes exactly the rows that the consumer holds back.
func TestConditionIsTheRule(t *testing.T) {
	d := clickhousetest.Migrated(t)
	d.Ask("ALTER TABLE events_raw REMOVE TTL")
	rnd := rand.New(rand.NewPCG(7, 7)) //nolint:gosec // a test's
	at := time.Now().UTC().Truncate(time.Millisecond)
	users := []string{
		`{"id":"u"}`, `{"id":"u","email":"X@example.org"}`, `{"id":"v","email":"u@Example.ORG"}`, `{"id":"v"}`, `{}`,
		`{"id":"it's \\ \"u\""}`, `{"id":"\u00fc\u0000"}`,
	}
	var all []rowstest.Record
	for offset := range int64(4000) {
		all = append(all, randomRecord(rnd, offset, at, users[rnd.IntN(len(users))]))
	}
	block := rowstest.Block(t, all...)
	table := clickhouse.New(clickhouse.Config{DSN: d.Native()}, nil)
	t.Cleanup(table.Close)
	require.NoError(t, table.Insert(t.Context(), "", block))
	salt := erasure.NewSalt()
	for _, doubt := range []time.Duration{0, time.Hour, 24 * time.Hour} {
		for name, marks := range map[string][]erasure.Mark{
			"user":    {erasure.NewMark("p", erasure.User, "u", salt, at, doubt)},
			"quotes":  {erasure.NewMark("p", erasure.User, `it's \ "u"`, salt, at, doubt)},
			"bytes":   {erasure.NewMark("p", erasure.User, "ü\x00", salt, at, doubt)},
			"email":   {erasure.NewMark("p", erasure.Email, "U@example.org", salt, at, doubt)},
			"either":  {erasure.NewMark("p", erasure.User, "u", salt, at, doubt), erasure.NewMark("p", erasure.Email, "u@example.org", salt, at, doubt)},
			"project": {erasure.NewMark("p", erasure.Project, "", salt, at, doubt)},
			"nobody":  {erasure.NewMark("p", erasure.User, "w", salt, at, doubt)},
			"empty":   {erasure.NewMark("q", erasure.Project, "", salt, at, doubt)},
		} {
			want := covered(block, erasure.NewList(marks))
			got := d.Ask("SELECT arrayStringConcat(arraySort(groupArray(_offset)), ' ') FROM events_raw WHERE " + condition(marks))
			assert.Equal(t, strings.TrimSuffix(strings.Trim(fmt.Sprint(want), "[]"), " "), got, "%s, %s", name, doubt)
			if name == "user" {
				assert.Greater(t, len(want), 100)
				assert.Less(t, len(want), 1500)
			}
		}
	}
}

func covered(b *rows.Block, list *erasure.List) (offsets []int64) {
	looker := list.Looker()
	for row, o := range b.Owners() {
		if looker.Covers(o.Project, o.User, o.Email, b.TimesOf(row)) {
			offsets = append(offsets, b.Offsets()[row])
		}
	}
	return offsets
}

// TestNote: what is noted is what consumers read, and the salt is used again. Over both protocols.
func TestNote(t *testing.T) {
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		d.Migrate()
		db := databaseOf(t, dsn)
		salt, err := db.salt(t.Context())
		require.NoError(t, err)
		at := time.Now()
		cfg := Config{Project: "p", User: "it's", Email: "E@example.org", Doubt: settings.Duration(time.Hour)}
		marks := cfg.MarksAt(at, salt)
		require.Len(t, marks, 2)
		require.NoError(t, db.note(t.Context(), marks, at.Add(time.Hour), `request 7's \`))
		table := clickhouse.New(clickhouse.Config{DSN: dsn}, nil)
		t.Cleanup(table.Close)
		read, err := table.Erasures(t.Context())
		require.NoError(t, err)
		assert.ElementsMatch(t, marks, read)
		again, err := db.salt(t.Context())
		require.NoError(t, err)
		assert.Equal(t, salt, again)
		d.Asks("SELECT DISTINCT note FROM erasures FORMAT TSVRaw", `request 7's \`)

		d.Ask("ALTER TABLE erasures UPDATE forget_at = now() - 1 WHERE 1 SETTINGS mutations_sync = 1")
		read, err = table.Erasures(t.Context())
		require.NoError(t, err)
		assert.Empty(t, read, "forgotten")
		d.Ask("DROP TABLE erasures SYNC")
		read, err = table.Erasures(t.Context())
		require.NoError(t, err)
		assert.Empty(t, read, "a schema from before")
		_, err = db.salt(t.Context())
		require.ErrorIs(t, err, errNoTable)
		assert.Contains(t, err.Error(), "consumer migrate")
	})
}

// TestPartsStay: the table's own settings count, and else the server's.
func TestPartsStay(t *testing.T) {
	d := clickhousetest.Migrated(t)
	db := databaseOf(t, d.Native())
	before, err := db.partsStay(t.Context(), "events_raw")
	require.NoError(t, err)
	assert.GreaterOrEqual(t, before, 8*time.Minute)
	d.Ask("ALTER TABLE events_raw MODIFY SETTING old_parts_lifetime = 7, cleanup_delay_period = 1, max_cleanup_delay_period = 5")
	after, err := db.partsStay(t.Context(), "events_raw")
	require.NoError(t, err)
	assert.Equal(t, 77*time.Second, after)
}

// TestStrangers: tables of an operator's are named, and detached parts counted.
func TestStrangers(t *testing.T) {
	d := clickhousetest.Migrated(t)
	db := databaseOf(t, d.Native())
	d.Ask("CREATE TABLE mine (user_id String) ENGINE = MergeTree ORDER BY user_id")
	d.Ask("CREATE VIEW of_mine AS SELECT * FROM mine")
	d.Ask("INSERT INTO events_raw (project_id) VALUES ('p')")
	d.Ask("ALTER TABLE events_raw DETACH PARTITION ID '" + d.Ask("SELECT any(partition_id) FROM system.parts WHERE database = currentDatabase() AND table = 'events_raw' AND active") + "'")
	names, err := db.strangers(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"mine"}, names)
	n, err := db.detached(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, n)
}

// TestCheckSettings: faults name the flag, and limits hold exactly.
func TestCheckSettings(t *testing.T) {
	good := func() Config {
		return Config{Project: "p", User: "u", DSN: clickhouse.DefaultDSN, Doubt: settings.Duration(24 * time.Hour)}
	}
	require.NoError(t, good().Check())
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // in the error; "": none
	}{
		"no project":        {func(c *Config) { c.Project = "" }, "--project"},
		"odd project":       {func(c *Config) { c.Project = "P'" }, "--project"},
		"note":              {func(c *Config) { c.Note = long(longestNote) }, ""},
		"long note":         {func(c *Config) { c.Note = long(longestNote + 1) }, "--note"},
		"user":              {func(c *Config) { c.User = long(event.MaxEventBytes) }, ""},
		"long user":         {func(c *Config) { c.User = long(event.MaxEventBytes + 1) }, "--user"},
		"no window":         {func(c *Config) { c.Doubt = 0 }, ""},
		"negative window":   {func(c *Config) { c.Doubt = -1 }, "--resend-window"},
		"longest window":    {func(c *Config) { c.Doubt = settings.Duration(longestDoubt) }, ""},
		"long window":       {func(c *Config) { c.Doubt = settings.Duration(longestDoubt + time.Second) }, "--resend-window"},
		"window of a half":  {func(c *Config) { c.Doubt = settings.Duration(time.Second / 2) }, "--resend-window"},
		"gateway":           {func(c *Config) { c.Gateways = []string{"x"} }, "--gateway-addrs"},
		"consumer":          {func(c *Config) { c.Consumers = []string{"x"} }, "--consumer-addrs"},
		"clickhouse":        {func(c *Config) { c.DSN = "x" }, "--clickhouse-dsn"},
		"cluster with odds": {func(c *Config) { c.Cluster = "a'b" }, "--clickhouse-cluster"},
	} {
		cfg := good()
		c.change(&cfg)
		err := cfg.Check()
		if c.want == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.want, name)
		}
	}
	_, err := New(Config{}, kafkaconn.Config{}, &bytes.Buffer{})
	require.ErrorContains(t, err, "--project")
}

// TestReceipt: a receipt is read as it was written, and nothing else is taken for one.
func TestReceipt(t *testing.T) {
	until := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	m := erasure.NewMark("p", erasure.User, "u", erasure.NewSalt(), until.Add(-time.Hour), time.Hour)
	r := &Receipt{Version: receiptVersion, Project: "p", By: "user", ErasedAt: m.At, Marks: []string{m.String()}}
	r.remains(PlaceParts, &until, "the disk of ClickHouse", "3 replaced parts", "old_parts_lifetime")
	r.remains(PlaceOther, nil, "backups", "what they held", "out of reach")
	path := filepath.Join(t.TempDir(), "receipt")
	require.NoError(t, r.Write(path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, r, got)
	var text bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	assert.Contains(t, text.String(), "2026-12-01 00:00:00Z: old_parts_lifetime")

	for want, content := range map[string]string{
		"not a receipt": `{}`, "version 2": `{"version":2,"marks":["x"]}`, "not an erasure": `{"version":1,"marks":["x"]}`,
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := Read(path)
		require.ErrorContains(t, err, want)
	}
	_, err = Read(path + uuid.NewString())
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, r.Write(filepath.Join(path, "x")), "--receipt")

	for now, want := range map[time.Duration]string{-time.Second: stateWaiting, 0: stateOverdue, time.Second: stateOverdue} {
		state, _ := r.stateOf(PlaceParts, until.Add(now))
		assert.Equal(t, want, state, now)
	}
}
