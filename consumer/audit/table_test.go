package audit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse"
	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/retention"
	"sluice/internal/kafkaconn"
	"sluice/internal/outcome"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }

// onEach runs a test on a server over both protocols, and on a cluster of two shards.
func onEach(t *testing.T, test func(t *testing.T, d *clickhousetest.Database, db *database)) {
	open := func(t *testing.T, dsn string) *database {
		db, err := openDatabase(clickhouse.Config{DSN: dsn})
		require.NoError(t, err)
		t.Cleanup(db.close)
		return db
	}
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		d.Migrate()
		test(t, d, open(t, dsn))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Cleanup(func() {
			for _, name := range []string{"two_a", "two_b"} {
				_, err := clickhousetest.Query(context.Background(), "default", "DROP DATABASE IF EXISTS "+name+" SYNC")
				assert.NoError(t, err)
			}
		})
		server := clickhousetest.New(t)
		a := clickhousetest.Named(t, "two_a")
		for _, d := range []*clickhousetest.Database{a, clickhousetest.Named(t, "two_b")} {
			server.AskServer("CREATE DATABASE " + d.Name)
			for _, statement := range clickhousetest.ClusterTables("") {
				d.Ask(statement)
			}
		}
		test(t, a, open(t, a.Native()))
	})
}

// insert adds rows of offsets from first to last of a partition.
func insert(d *clickhousetest.Database, partition int, first, last int64) {
	d.Ask(fmt.Sprintf("INSERT INTO events_raw (project_id, event_id, id_time, received_at, _topic, _partition, _offset) "+
		"SELECT 'demo', generateUUIDv4(), toDateTime('2026-11-28 12:00:00', 'UTC') + number %% 300, now64(3), 'events', %d, "+
		"%d + number FROM numbers(%d) SETTINGS distributed_foreground_insert = 1", partition, first, last-first+1))
}

// TestOffsetsWithoutRow: exactly the offsets without a row are found, in whatever bucket, and a row that is there twice
// hides none.
func TestOffsetsWithoutRow(t *testing.T) {
	onEach(t, func(t *testing.T, d *clickhousetest.Database, db *database) {
		const b = smallestBucket
		insert(d, 3, 0, 5)
		insert(d, 3, 7, 7)
		insert(d, 3, 10, b+99) // two buckets
		insert(d, 3, b+101, 2*b+9)
		insert(d, 3, b+7, b+7) // again, so that the second bucket has as many rows as offsets
		insert(d, 4, 100, 2*b)
		insert(d, 5, 0, 9)
		insert(d, 2, 0, 9) // not asked for
		places := []place{
			{topic: "events", partition: 3, first: 2, end: 3 * b}, {topic: "events", partition: 4, first: 100, end: 2*b + 1},
			{topic: "events", partition: 5, first: 0, end: 0}, {topic: "events", partition: 6, first: 3, end: 5},
		}
		buckets, err := db.notFull(t.Context(), places)
		require.NoError(t, err)
		lacked := func(i int) (spans []span, doubled int64) {
			for s, err := range db.withoutRow(t.Context(), places[i], buckets[i], &doubled) {
				require.NoError(t, err)
				spans = append(spans, s)
			}
			return spans, doubled
		}
		spans, doubled := lacked(0)
		require.Greater(t, len(spans), 3)
		assert.Equal(t, []span{{6, 6}, {8, 9}, {b + 100, b + 100}}, spans[:3])
		assert.EqualValues(t, 1+2+1+b-10, lengthOf(spans))
		assert.EqualValues(t, 1, doubled)
		assert.Empty(t, buckets[1], "all are there")
		assert.Empty(t, buckets[2], "nothing was asked")
		spans, _ = lacked(3)
		assert.Equal(t, []span{{3, 4}}, spans)

		places[0].since = time.Now().Add(time.Hour)
		buckets, err = db.notFull(t.Context(), places[:1])
		require.NoError(t, err)
		spans, _ = lacked(0)
		assert.EqualValues(t, 3*b-2, lengthOf(spans), "rows of before are those of another topic")
		places[0].since = time.Time{}

		there, err := db.rowsAt(t.Context(), places[0], []int64{5, 6, 7})
		require.NoError(t, err)
		assert.Equal(t, map[int64]bool{5: true, 7: true}, there)
		for offset, want := range map[int64]int64{2*b - 1: 2 * b, 2 * b: 2 * b, 2*b + 1: -1} {
			got, err := db.beyond(t.Context(), "events", 4, offset)
			require.NoError(t, err)
			assert.Equal(t, want, got, "%d", offset)
		}
	})
}

// TestStored: an identity has a row if all of it is equal: project, minute and id.
func TestStored(t *testing.T) {
	onEach(t, func(t *testing.T, d *clickhousetest.Database, db *database) {
		id := uuid.MustParse("0193b3c4-5d6e-7a7b-8c9d-000000000001")
		d.Ask("INSERT INTO events_raw (project_id, event_id, id_time, received_at, _topic, _partition, _offset) " +
			"SETTINGS distributed_foreground_insert = 1 VALUES " +
			"('demo', '" + id.String() + "', '2026-11-28 12:00:59', now64(3), 'events', 0, 0)")
		minute := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC).Unix()
		good := identity{"demo", minute, id}
		other := id
		other[15]++
		there, err := db.stored(t.Context(), []identity{
			good, {"demo2", minute, id}, {"demo", minute + 60, id}, {"demo", minute, other}, {"it's", minute, id},
		})
		require.NoError(t, err)
		assert.Equal(t, map[identity]bool{good: true}, there)
		keeps, err := db.retention(t.Context())
		require.NoError(t, err)
		if keeps != nil {
			assert.Equal(t, retention.Policy{All: 90 * 24 * time.Hour}, *keeps)
		}
	})
}

// TestExpired: what is too old for its own project is accounted for.
func TestExpired(t *testing.T) {
	const day = 24 * time.Hour
	p := &pass{audit: &audit{retention: &retention.Policy{All: 90 * day, Projects: map[string]time.Duration{"brief": day, "long": 900 * day}}}}
	for _, c := range []struct {
		project string
		age     time.Duration
		want    bool
	}{
		{"demo", 89 * day, false}, {"demo", 91 * day, true}, {"brief", 22 * time.Hour, false}, {"brief", 25 * time.Hour, true},
		{"long", 91 * day, false}, {"long", 901 * day, true},
	} {
		s := suspect{received: time.Now().Add(-c.age)}
		s.Project = c.project
		assert.Equal(t, c.want, p.expired(s), "%v", c)
	}
	p.retention = nil
	assert.False(t, p.expired(suspect{}))
}

// TestOutcomes: what was dropped is read by partition and range, and written twice counts once; a dead letter and a
// gateway's counts are found by what they are named by.
func TestOutcomes(t *testing.T) {
	onEach(t, func(t *testing.T, d *clickhousetest.Database, db *database) {
		at := outcome.Range{Topic: "events", Partition: 2, First: 100, Last: 199}
		minute := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
		write := func(what string, source uuid.UUID, n int) {
			d.Ask(fmt.Sprintf("INSERT INTO outcomes_raw (project_id, minute, protocol, outcome, reason, category, source, events) "+
				"SETTINGS distributed_foreground_insert = 1 VALUES ('demo', %d, 'native', '%s', 'sample', '', '%s', %d)",
				minute.Unix(), what, source, n))
		}
		source := outcome.SourceOfRange(at, "token")
		write(outcome.Filtered, source, 7)
		write(outcome.Filtered, source, 7)
		write(outcome.Filtered, outcome.SourceOf("dropped/as it was"), 3)
		at.Topic = "another"
		write(outcome.Filtered, outcome.SourceOfRange(at, "token"), 9)
		got, err := db.dropped(t.Context(), "events", minute, false)
		require.NoError(t, err)
		assert.Equal(t, map[int][]allowance{2: {{span: span{100, 199}, dropped: 7}}}, got.within)
		assert.Equal(t, map[dropKey]int64{{"demo", "native", minute.Unix()}: 3}, got.elsewhere)
		got, err = db.dropped(t.Context(), "events", minute.Add(longestSpooled+time.Minute), false)
		require.NoError(t, err)
		assert.Empty(t, got.within, "of before the oldest record")

		row := outcome.Row{Project: "demo", Minute: minute.Unix(), Protocol: "native", Source: outcome.SourceOf("dead/1")}
		write(outcome.DeadLettered, row.Source, 1)
		missing := row
		missing.Source = outcome.SourceOf("dead/2")
		dead, err := db.countedDead(t.Context(), []outcome.Row{row, missing})
		require.NoError(t, err)
		assert.Equal(t, map[uuid.UUID]bool{row.Source: true}, dead)

		row.Source, row.Outcome, row.Reason = outcome.SourceOf("gateway"), outcome.Rejected, "sample"
		write(outcome.Rejected, row.Source, 4)
		write(outcome.Rejected, row.Source, 6)
		counts, err := db.counts(t.Context(), []outcome.Row{row})
		require.NoError(t, err)
		assert.Equal(t, map[outcome.Row]int64{row: 6}, counts)
	})
}

// TestDatabaseFaults: an error says what to do.
func TestDatabaseFaults(t *testing.T) {
	d := clickhousetest.New(t)
	db, err := openDatabase(clickhouse.Config{DSN: d.Native()})
	require.NoError(t, err)
	t.Cleanup(db.close)
	_, err = db.notFull(t.Context(), []place{{topic: "events", end: 1}})
	require.ErrorIs(t, err, errNoTable)
	require.ErrorContains(t, err, "consumer migrate")
	_, err = New(Config{MaxLookups: -1, SecondLook: -1, DSN: "nonsense"}, kafkaconn.Config{Brokers: []string{"127.0.0.1:1"}, Topic: "events", DeadTopic: "events.dead"}, nil)
	for _, flag := range []string{"--kafka-group", "--max-lookups", "--second-look", "--clickhouse-dsn"} {
		require.ErrorContains(t, err, flag)
	}
}
