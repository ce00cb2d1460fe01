package schema

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// left migrates a database that differs, and returns the output and the error.
func left(t *testing.T, store Config, may Permissions) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	m := NewMigrator(store, &out)
	m.May = may
	err = m.Apply(t.Context())
	return out.String(), err
}

// definitions are all objects of a database in the server's form. The order of settings and columns may differ.
func definitions(d *clickhousetest.Database) string {
	d.T.Helper()
	return d.Ask("SELECT name, engine, as_select, sorting_key, partition_key, arraySort(splitByString(', ', extract(engine_full, 'SETTINGS (.*)'))), extract(engine_full, 'TTL (.*) SETTINGS') FROM system.tables WHERE database = currentDatabase() ORDER BY name FORMAT TSVRaw") +
		d.Ask("SELECT table, name, type, default_kind, default_expression, compression_codec, position FROM system.columns WHERE database = currentDatabase() ORDER BY table, position FORMAT TSVRaw") +
		d.Ask("SELECT name, type, expr, granularity FROM system.data_skipping_indices WHERE database = currentDatabase() ORDER BY name FORMAT TSVRaw")
}

// Migrate makes a dropped object again as it was, and the status names it before. Rows stay.
func TestMigrateMakesWhatWasDropped(t *testing.T) {
	for _, tc := range []struct {
		drop    []string
		missing []string
		rows    string // after; of three
	}{
		{[]string{"DROP TABLE events_raw SYNC"}, []string{"table events_raw"}, "0"},
		{[]string{"DROP VIEW events"}, []string{"view events"}, "3"},
		{[]string{"DROP VIEW issues"}, []string{"view issues"}, "3"},
		{[]string{"DROP VIEW events_per_minute"}, []string{"view events_per_minute"}, "3"},
		{[]string{"DROP TABLE events_raw SYNC", "DROP VIEW events", "DROP VIEW issues", "DROP VIEW events_per_minute", "DROP TABLE outcomes_raw SYNC", "DROP VIEW outcomes", "DROP TABLE erasures SYNC"}, objects, "0"},
		{[]string{"ALTER TABLE events_raw DROP COLUMN message"}, []string{"column message of events_raw"}, "3"},
		{[]string{"ALTER TABLE events_raw DROP COLUMN issue_id"}, []string{"column issue_id of events_raw"}, "3"},
		{[]string{"ALTER TABLE events_raw DROP COLUMN inserted_at"}, []string{"column inserted_at of events_raw"}, "3"},
		{
			[]string{"ALTER TABLE events_raw DROP INDEX timestamp_range", "ALTER TABLE events_raw DROP COLUMN timestamp", "ALTER TABLE events_raw DROP COLUMN client_timestamp"},
			[]string{"index timestamp_range of events_raw", "column timestamp of events_raw", "column client_timestamp of events_raw"},
			"3",
		},
		{[]string{"ALTER TABLE events_raw RENAME COLUMN message TO text"}, []string{"column message of events_raw"}, "3"},
		{[]string{"ALTER TABLE events_raw DROP INDEX offset_range"}, []string{"index offset_range of events_raw"}, "3"},
		{[]string{"ALTER TABLE events_raw RESET SETTING fsync_after_insert"}, []string{"setting fsync_after_insert of events_raw"}, "3"},
		{[]string{"ALTER TABLE events_raw RESET SETTING non_replicated_deduplication_window, merge_selector_base"},
			[]string{"setting non_replicated_deduplication_window of events_raw", "setting merge_selector_base of events_raw"}, "3"},
	} {
		t.Run(tc.drop[0], func(t *testing.T) {
			t.Parallel()
			d := clickhousetest.Migrated(t)
			putRows(t, storeOf(d), many3()...)
			before := definitions(d)
			for _, statement := range tc.drop {
				d.Ask(statement)
			}
			said, err := status(t, storeOf(d))
			if !errors.Is(err, ErrPending) || strings.Count(said, "missing ") != len(tc.missing) || strings.Contains(said, "differs") {
				t.Errorf("status %v:\n%s", err, said)
			}
			for _, what := range tc.missing {
				if !strings.Contains(said, "missing  "+what+"\n") {
					t.Errorf("%s is not said to be missing:\n%s", what, said)
				}
			}
			if said = apply(t, storeOf(d)); said == upToDate {
				t.Error("nothing was done")
			}
			if !strings.Contains(tc.drop[0], "RENAME") {
				if after := definitions(d); after != before {
					t.Errorf("it is\n%s\nbefore it was\n%s", after, before)
				}
			}
			if again := apply(t, storeOf(d)); again != upToDate {
				t.Errorf("the second time says:\n%s", again)
			}
			if said, err := status(t, storeOf(d)); err != nil {
				t.Errorf("status after %v:\n%s", err, said)
			}
			d.Asks("SELECT count() FROM events", tc.rows)
			putRows(t, storeOf(d), rowstest.Plain(10))
			d.Asks("SELECT count() FROM events WHERE _offset = 10", "1")
		})
	}
}

func many3() []rowstest.Record {
	return []rowstest.Record{rowstest.Plain(0), rowstest.Plain(1), rowstest.Plain(2)}
}

// An index that was dropped is built for the existing rows as well.
func TestIndexIsBuiltForOldRows(t *testing.T) {
	d := clickhousetest.Migrated(t)
	putRows(t, storeOf(d), many3()...)
	d.Ask("ALTER TABLE events_raw DROP INDEX offset_range")
	apply(t, storeOf(d))
	d.Until("SELECT data_compressed_bytes > 0 FROM system.data_skipping_indices WHERE database = currentDatabase() AND name = 'offset_range'", "1")
}

// A window that was removed works again once it is back: the table knows the same token.
func TestWindowWorksAgain(t *testing.T) {
	d := clickhousetest.Migrated(t)
	d.Ask("ALTER TABLE events_raw RESET SETTING non_replicated_deduplication_window")
	apply(t, storeOf(d))
	to := tableAt(t, storeOf(d))
	for range 2 {
		if err := to.Insert(t.Context(), "the token", rowstest.Many(t, 3)); err != nil {
			t.Fatal(err)
		}
	}
	d.Asks("SELECT count() FROM events_raw", "3")
}

// What users added stays, and is no difference.
func TestMigrateLeavesWhatUsersAdded(t *testing.T) {
	d := clickhousetest.Migrated(t)
	for _, add := range []string{
		"ALTER TABLE events_raw ADD COLUMN ip String MATERIALIZED JSONExtractString(payload, 'user', 'ip_address') COMMENT 'it''s, (theirs' CODEC(ZSTD(9)) AFTER message",
		"ALTER TABLE events_raw ADD COLUMN `odd, name (` UInt8 DEFAULT 1",
		"ALTER TABLE events_raw ADD INDEX theirs message TYPE tokenbf_v1(1024, 2, 0) GRANULARITY 4",
		"ALTER TABLE events_raw MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild'",
		"ALTER TABLE events_raw ADD PROJECTION by_release (SELECT release, count() GROUP BY release)",
		"ALTER TABLE events_raw ADD CONSTRAINT named CHECK project_id != ''",
		"ALTER TABLE events_raw MODIFY COMMENT 'kept by (us), TTL 3'",
		"ALTER TABLE events_raw MODIFY COLUMN level COMMENT 'debug, info, warning, error, fatal'",
		"ALTER TABLE events_raw MODIFY COLUMN user_email TTL toDateTime(received_at) + INTERVAL 30 DAY",
		"CREATE VIEW theirs AS SELECT count() AS n FROM events",
		"CREATE TABLE other (a String) ENGINE = MergeTree ORDER BY a",
		"CREATE MATERIALIZED VIEW fed TO other AS SELECT message AS a FROM events_raw",
		"CREATE OR REPLACE VIEW events AS SELECT " + strings.TrimPrefix(d.Ask("SELECT extract(as_select, 'SELECT (.*) FROM') FROM system.tables WHERE database = currentDatabase() AND name = 'events'"), "SELECT ") +
			", ip FROM events_raw FINAL SETTINGS do_not_merge_across_partitions_select_final = 1, " +
			"optimize_move_to_prewhere_if_final = 1, use_skip_indexes_if_final_exact_mode = 1",
	} {
		d.Ask(add)
	}
	before := definitions(d)
	if said, err := status(t, storeOf(d)); err != nil || strings.Count(said, "\n") != strings.Count(said, "there ") || strings.Contains(said, "theirs") {
		t.Errorf("status %v:\n%s", err, said)
	}
	if said := apply(t, storeOf(d)); said != upToDate {
		t.Errorf("said:\n%s", said)
	}
	d.Ask("ALTER TABLE events_raw DROP COLUMN trace_id") // and with something to do
	if said := apply(t, storeOf(d)); strings.Contains(said, "ip") || strings.Contains(said, "theirs") || !strings.Contains(said, "trace_id") {
		t.Errorf("said:\n%s", said)
	}
	if after := definitions(d); after != before {
		t.Errorf("it is\n%s\nbefore it was\n%s", after, before)
	}
	putRows(t, storeOf(d), rowstest.Plain(1))
	d.Asks("SELECT ip, count() FROM events GROUP BY ip", "\t1")
}

// A difference that is not changed is reported with the found and the wanted value. What may lose or hide events is an
// error. Tuning is not.
func TestMigrateSaysWhatDiffers(t *testing.T) {
	for _, tc := range []struct {
		change  string
		said    string
		serious bool
	}{
		{"ALTER TABLE events_raw MODIFY COLUMN trace_id FixedString(32)", "column trace_id of events_raw: it is FixedString(32), not String", true},
		{"ALTER TABLE events_raw MODIFY COLUMN release String", "column release of events_raw: it is String, not LowCardinality(String)", true},
		{"ALTER TABLE events_raw MODIFY COLUMN level Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5, 'critical' = 6)",
			"column level of events_raw: it is Enum8('debug' = 1, 'info' = 2, 'warning' = 3, 'error' = 4, 'fatal' = 5, 'critical' = 6), not", true},
		{"ALTER TABLE events_raw MODIFY COLUMN inserted_at REMOVE DEFAULT", "column inserted_at of events_raw: it is DateTime64(3, 'UTC'), not DateTime64(3, 'UTC') DEFAULT now64(3)", true},
		{"ALTER TABLE events_raw MODIFY COLUMN message String DEFAULT 'none'", "column message of events_raw: it is String DEFAULT 'none', not String", true},
		{"ALTER TABLE events_raw MODIFY COLUMN _ver MATERIALIZED 1", "column _ver of events_raw: it is UInt64 MATERIALIZED 1, not", true},
		{"ALTER TABLE events_raw MODIFY COLUMN payload CODEC(ZSTD(9))", "codec of column payload of events_raw: it is CODEC(ZSTD(9)), not CODEC(ZSTD(3))", false},
		{"ALTER TABLE events_raw DROP INDEX timestamp_range, ADD INDEX timestamp_range timestamp TYPE minmax GRANULARITY 4",
			"index timestamp_range of events_raw: it is timestamp TYPE minmax GRANULARITY 4, not timestamp TYPE minmax GRANULARITY 1", false},
		{"ALTER TABLE events_raw MODIFY SETTING merge_selector_base = 5", "setting merge_selector_base of events_raw: it is 5, not 64", false},
		{"ALTER TABLE events_raw MODIFY SETTING fsync_after_insert = 0", "setting fsync_after_insert of events_raw: it is 0, not 1", true},
		{"ALTER TABLE events_raw MODIFY SETTING non_replicated_deduplication_window = 9999", "window of events_raw: it is 9999, not 10000", true},
		{"ALTER TABLE events_raw MODIFY SETTING non_replicated_deduplication_window = 10001", "window of events_raw: it is 10001, not 10000", false},
		{"ALTER TABLE events_raw ADD COLUMN k UInt8, MODIFY ORDER BY (toRelativeDayNum(id_time) % 128, project_id, toStartOfMinute(id_time), UUIDToNum(event_id), event_id, k)",
			"sorting key of events_raw: it is (toRelativeDayNum(id_time) % 128, project_id, toStartOfMinute(id_time), UUIDToNum(event_id), event_id, k), not", true},
		{"CREATE OR REPLACE VIEW issues AS SELECT 1 AS one", "view issues: it has another query; `consumer migrate --replace-views` replaces it", true},
		{"CREATE OR REPLACE VIEW events_per_minute AS SELECT project_id, minute, environment, level, events FROM (SELECT 1 AS project_id, 2 AS minute, 3 AS environment, 4 AS level, 5 AS events)", "view events_per_minute: it has another query", true},
	} {
		t.Run(tc.change, func(t *testing.T) {
			t.Parallel()
			d := clickhousetest.Migrated(t)
			putRows(t, storeOf(d), many3()...)
			d.Ask(tc.change)
			before := definitions(d)
			if said, err := status(t, storeOf(d)); !errors.Is(err, ErrPending) || !strings.Contains(said, "differs  ") || !strings.Contains(said, tc.said) {
				t.Errorf("status %v:\n%s", err, said)
			}
			said, err := left(t, storeOf(d), Permissions{})
			if errors.Is(err, ErrLeft) != tc.serious || (err != nil) != tc.serious || !strings.Contains(said, tc.said) {
				t.Errorf("error %v, said:\n%s", err, said)
			}
			if after := definitions(d); after != before {
				t.Errorf("it is\n%s\nbefore it was\n%s", after, before)
			}
			d.Asks("SELECT count() FROM events_raw", "3")
		})
	}
}

// A table with another engine or other keys, and a name that something else uses, are reported. The rest is made.
func TestMigrateSaysWhatIsSomethingElse(t *testing.T) {
	columns := clickhousetest.Migrated(t).Ask("SELECT arrayStringConcat(groupArray(concat('`', name, '` ', type)), ', ') FROM (SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'events_raw' AND default_kind != 'ALIAS' ORDER BY position) FORMAT TSVRaw")
	for create, want := range map[string]string{
		"CREATE TABLE events_raw (" + columns + ") ENGINE = MergeTree ORDER BY event_id":                                           "engine of events_raw: it is MergeTree(), not ReplacingMergeTree(_ver)",
		"CREATE TABLE events_raw (" + columns + ") ENGINE = ReplacingMergeTree PARTITION BY toYYYYMMDD(id_time) ORDER BY event_id": "partition key of events_raw: it is toYYYYMMDD(id_time), not toRelativeDayNum(id_time) % 128",
		"CREATE VIEW events_raw AS SELECT 1 AS a":                                                                                  "table events_raw: this name belongs to something else, of the engine View",
		"CREATE TABLE issues (a UInt8) ENGINE = Memory":                                                                            "view issues: this name belongs to something else, of the engine Memory",
	} {
		d := clickhousetest.New(t)
		d.AskServer("CREATE DATABASE " + d.Name)
		d.Ask(create)
		said, err := status(t, storeOf(d))
		if !errors.Is(err, ErrPending) || !strings.Contains(said, want) {
			t.Errorf("%s\nstatus %v:\n%s", create, err, said)
		}
		before := d.Ask("SHOW CREATE TABLE " + strings.Fields(create)[2])
		said, err = left(t, storeOf(d), Permissions{})
		if err == nil || !strings.Contains(said, want) {
			t.Errorf("%s\nerror %v, said:\n%s", create, err, said)
		}
		// The views name their columns, so that they can be made over it.
		if !errors.Is(err, ErrLeft) || !strings.Contains(said, "made view events_per_minute\n") {
			t.Errorf("%s\nerror %v, said:\n%s", create, err, said)
		}
		if after := d.Ask("SHOW CREATE TABLE " + strings.Fields(create)[2]); after != before {
			t.Errorf("it is\n%s\nbefore it was\n%s", after, before)
		}
	}
}

// A detached object exists, with its rows. It is not made anew but reported, with the statement that brings it back.
func TestMigrateSaysWhatIsDetached(t *testing.T) {
	for _, statement := range []string{"DETACH TABLE events_raw", "DETACH TABLE events_raw PERMANENTLY", "DETACH TABLE issues"} {
		d := clickhousetest.Migrated(t)
		putRows(t, storeOf(d), many3()...)
		d.Ask(statement)
		name := strings.Fields(statement)[2]
		want := name + ": it is detached: ATTACH TABLE " + name + " brings it back\n"
		if said, err := status(t, storeOf(d)); !errors.Is(err, ErrPending) || !strings.Contains(said, want) || !strings.Contains(said, "missing  ") {
			t.Errorf("%s: status %v:\n%s", statement, err, said)
		}
		if said, err := left(t, storeOf(d), Permissions{}); !errors.Is(err, ErrLeft) || !strings.Contains(said, want) || strings.Contains(said, "made") {
			t.Errorf("%s: error %v, said:\n%s", statement, err, said)
		}
		d.Ask("ATTACH TABLE " + name)
		if said := apply(t, storeOf(d)); said != upToDate {
			t.Errorf("%s: once it is back:\n%s", statement, said)
		}
		d.Asks("SELECT count() FROM events", "3")
	}
}

// A changed view is replaced when that is permitted, and nothing else is changed.
func TestReplaceViews(t *testing.T) {
	d := clickhousetest.Migrated(t)
	before := definitions(d)
	d.Ask("CREATE OR REPLACE VIEW events AS SELECT * FROM events_raw WHERE level > 'info'")
	d.Ask("CREATE OR REPLACE VIEW issues AS SELECT 1 AS one")
	said, err := left(t, storeOf(d), Permissions{ReplaceViews: true})
	if err != nil || !strings.Contains(said, "replaced view events\n") || !strings.Contains(said, "replaced view issues\n") || strings.Contains(said, "per_minute") {
		t.Errorf("error %v, said:\n%s", err, said)
	}
	if after := definitions(d); after != before {
		t.Errorf("it is\n%s\nbefore it was\n%s", after, before)
	}
	if said, err := left(t, storeOf(d), Permissions{ReplaceViews: true}); err != nil || said != upToDate {
		t.Errorf("the second time: error %v, said:\n%s", err, said)
	}
}

// Additional columns at the end of a view are no difference. A column in the middle, another table and a condition are.
func TestMoreColumns(t *testing.T) {
	const wanted = "SELECT a, b AS c FROM t FINAL SETTINGS x = 1"
	for have, want := range map[string][]string{
		"SELECT a, b AS c FROM t FINAL SETTINGS x = 1":                  nil,
		"SELECT a, b AS c, d FROM t FINAL SETTINGS x = 1":               {"d"},
		"SELECT a, b AS c, f(d, e) AS g, h FROM t FINAL SETTINGS x = 1": {"f(d, e) AS g", "h"},
		"SELECT a, b AS c, ', ' AS `x, y` FROM t FINAL SETTINGS x = 1":  {"', ' AS `x, y`"},
	} {
		more, ok := moreColumns(have, wanted)
		require.True(t, ok, have)
		require.Equal(t, want, more, have)
	}
	for _, have := range []string{
		"SELECT a, d, b AS c FROM t FINAL SETTINGS x = 1",
		"SELECT a, b AS c, d FROM t SETTINGS x = 1",
		"SELECT a, b AS c, d FROM u FINAL SETTINGS x = 1",
		"SELECT a, b AS c, d FROM t FINAL WHERE d SETTINGS x = 1",
		"SELECT a, b AS c, d FROM u UNION ALL SELECT 1 FROM t FINAL SETTINGS x = 1",
	} {
		_, ok := moreColumns(have, wanted)
		require.False(t, ok, have)
	}
}

// Several migrations at once have the same result as one.
func TestMigrationsAtOnce(t *testing.T) {
	d := clickhousetest.New(t)
	errs := make(chan error)
	const n = 4
	for range n {
		go func() { errs <- NewMigrator(storeOf(d), &bytes.Buffer{}).Apply(t.Context()) }()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if said := apply(t, storeOf(d)); said != upToDate {
		t.Errorf("after them:\n%s", said)
	}
	d.Asks("SELECT count() FROM system.tables WHERE database = currentDatabase()", fmt.Sprint(len(objects)))
}
