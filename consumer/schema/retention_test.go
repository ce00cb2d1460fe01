package schema

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/retention"
	"sluice/consumer/rows/rowstest"
	"sluice/internal/settings"
)

const day = 24 * time.Hour

// ttlOf is the TTL of a retention for all projects.
func ttlOf(d time.Duration) string { return retention.Policy{All: d}.TTL() }

func ttlIs(d *clickhousetest.Database, want string) {
	d.T.Helper()
	d.Asks("SELECT extract(engine_full, 'TTL (.*) SETTINGS') FROM system.tables WHERE database = currentDatabase() AND name = 'events_raw'", want)
}

// keeping is the configuration with a retention, or with none if it is 0.
func keeping(d *clickhousetest.Database, retention time.Duration) Config {
	store := storeOf(d)
	store.Retention = nil
	if retention != 0 {
		store.Retention = new(settings.Duration(retention))
	}
	return store
}

// received inserts rows that were received a number of days ago.
func received(d *clickhousetest.Database, days ...int) {
	d.T.Helper()
	var records []rowstest.Record
	for i, n := range days {
		records = append(records, rowstest.From(int64(i), "demo", rowstest.ID(uint64(i)), time.Now().AddDate(0, 0, -n), `{"message":"m"}`)) // small
	}
	putRows(d.T, storeOf(d), records...)
}

// A new table keeps rows for 90 days unless told otherwise. An existing table keeps its retention and all rows.
func TestRetentionNotGiven(t *testing.T) {
	fresh := clickhousetest.New(t)
	apply(t, keeping(fresh, 0))
	ttlIs(fresh, ttlOf(90*day))

	for name, change := range map[string]string{
		"as made":             "SELECT 1",
		"in days":             "ALTER TABLE events_raw MODIFY TTL toDateTime(received_at) + INTERVAL 400 DAY",
		"for ever":            "ALTER TABLE events_raw REMOVE TTL",
		"with something else": "ALTER TABLE events_raw MODIFY TTL toDateTime(received_at) + INTERVAL 365 DAY DELETE WHERE level < 'error', toDateTime(received_at) + INTERVAL 1 DAY RECOMPRESS CODEC(ZSTD(9))",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := clickhousetest.New(t)
			apply(t, keeping(d, 365*day))
			received(d, 0, 89, 91, 120, 300)
			d.Ask(change)
			before := definitions(d)
			if said := apply(t, keeping(d, 0)); said != upToDate {
				t.Errorf("said:\n%s", said)
			}
			if said, err := status(t, keeping(d, 0)); err != nil {
				t.Errorf("status %v:\n%s", err, said)
			}
			if after := definitions(d); after != before {
				t.Errorf("it is\n%s\nbefore it was\n%s", after, before)
			}
			d.Ask("OPTIMIZE TABLE events_raw FINAL")
			d.Asks("SELECT count() FROM events", "5")
		})
	}
}

// A shorter retention reports how many rows it would remove, and removes none without permission. A longer retention is
// set at once.
func TestRetentionGiven(t *testing.T) {
	for _, tc := range []struct {
		before  string
		to      time.Duration
		shorter bool
		lost    int // of the rows received 0, 89, 91, 120 and 300 days ago
		was     string
	}{
		{"", 365 * day, false, 0, "365d"},
		{"", 365*day + time.Second, false, 0, "365d"},
		{"", 365*day - time.Second, true, 0, "365d"},
		{"", 90 * day, true, 3, "365d"},
		{"", 2 * day, true, 4, "365d"},
		{"", 18250 * day, false, 0, "365d"},
		{"MODIFY TTL toDateTime(received_at) + INTERVAL 52 WEEK", 364 * day, false, 0, "364d"},
		{"MODIFY TTL toDateTime(received_at) + INTERVAL 52 WEEK", 363 * day, true, 0, "364d"},
		{"REMOVE TTL", 250 * day, true, 1, "for ever"},
		{"MODIFY TTL toDateTime(received_at) + INTERVAL 365 DAY DELETE WHERE level < 'error'", 1000 * day, true, 0, "by TTL toDateTime(received_at) + toIntervalDay(365) WHERE level < 'error'"},
		{"MODIFY TTL toDateTime(received_at) + INTERVAL 12 MONTH", 10 * day, true, 4, "by TTL toDateTime(received_at) + toIntervalMonth(12)"},
	} {
		t.Run(fmt.Sprintf("%s %s", tc.before, tc.to), func(t *testing.T) {
			t.Parallel()
			d := clickhousetest.New(t)
			apply(t, keeping(d, 365*day))
			received(d, 0, 89, 91, 120, 300)
			if tc.before != "" {
				d.Ask("ALTER TABLE events_raw " + tc.before)
			}
			before := definitions(d)
			same := tc.was == retention.Days(tc.to)
			said, err := status(t, keeping(d, tc.to))
			if errors.Is(err, ErrPending) == same || strings.Contains(said, "pending  retention of events_raw: "+retention.Days(tc.to)+" is asked for, it is "+tc.was) == same {
				t.Errorf("status %v:\n%s", err, said)
			}
			said, err = left(t, keeping(d, tc.to), Permissions{})
			if errors.Is(err, ErrLeft) != tc.shorter || (err != nil) != tc.shorter {
				t.Fatalf("error %v, said:\n%s", err, said)
			}
			if tc.shorter {
				for _, want := range []string{"--shorten-retention", "--retention: " + retention.Days(tc.to), rowsAbout(tc.lost), tc.was} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q is not in: %v", want, err)
					}
				}
				if after := definitions(d); after != before {
					t.Errorf("it is\n%s\nbefore it was\n%s", after, before)
				}
				d.Ask("OPTIMIZE TABLE events_raw FINAL")
				d.Asks("SELECT count() FROM events", "5")
				if said, err = left(t, keeping(d, tc.to), Permissions{ShortenRetention: true}); err != nil || !strings.Contains(said, rowsAbout(tc.lost)) {
					t.Errorf("error %v, said:\n%s", err, said)
				}
			}
			if !same {
				ttlIs(d, ttlOf(tc.to))
			}
			counts := 365 * day
			if tc.before == "" { // the counts were kept for as long as events
				counts = tc.to
			}
			d.Asks("SELECT position(engine_full, 'TTL "+outcomesTTL(counts)+"') > 0 FROM system.tables WHERE database = currentDatabase() AND name = 'outcomes_raw'", "1")
			if again := apply(t, keeping(d, tc.to)); again != upToDate {
				t.Errorf("the second time says:\n%s", again)
			}
			d.Ask("OPTIMIZE TABLE events_raw FINAL")
			d.Asks("SELECT count() FROM events", fmt.Sprint(5-tc.lost))
		})
	}
}

func rowsAbout(n int) string {
	if n == 1 {
		return "1 row (about "
	}
	return fmt.Sprintf("%d rows (about ", n)
}

// The rows to be removed are counted, and their bytes estimated by their share of each table partition.
func TestLossIsCounted(t *testing.T) {
	d := clickhousetest.New(t)
	apply(t, keeping(d, 365*day))
	for i, n := range []int{0, 100, 200} { // each in a month of its own
		at := time.Now().AddDate(0, 0, -n)
		var records []rowstest.Record
		for j := range int64(1000) {
			offset := int64(i)*1000 + j
			text := fmt.Sprintf(`{"message":"m %d","timestamp":%q}`, offset*offset, at.Format(time.RFC3339))
			records = append(records, rowstest.From(offset, "demo", rowstest.ID(uint64(offset)), at, text)) // not negative
		}
		putRows(t, storeOf(d), records...)
	}
	db, err := openDefault(t.Context(), storeOf(d).ClickHouse)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all uint64
	if _, err := fmt.Sscan(d.Ask("SELECT sum(bytes_on_disk) FROM system.parts WHERE database = currentDatabase() AND table = 'events_raw' AND active"), &all); err != nil {
		t.Fatal(err)
	}
	for days, rows := range map[int]uint64{300: 0, 150: 1000, 50: 2000} {
		l, err := lostBy(t.Context(), db, variant{Database: d.Name}, "events_raw", ttlOf(time.Duration(days)*day))
		if err != nil || l.rows != rows || l.bytes > all*rows/3000*3/2 || l.bytes < all*rows/3000/2 {
			t.Errorf("%d days: %+v of %d bytes, error %v", days, l, all, err)
		}
	}
}

// A size is written with a unit that suits it.
func TestSizeOf(t *testing.T) {
	for bytes, want := range map[uint64]string{0: "0.0 KiB", 1<<20 - 1: "1024.0 KiB", 1 << 20: "1.0 MiB", 1<<30 - 1: "1024.0 MiB", 1 << 30: "1.0 GiB"} {
		if got := sizeOf(bytes); got != want {
			t.Errorf("%d bytes are %s", bytes, got)
		}
	}
}
