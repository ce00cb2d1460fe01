package clickhouse

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"sluice/consumer/clickhouse/clickhousetest"
	rowsroom "sluice/consumer/rows"
	"sluice/consumer/rows/rowstest"
)

// overBothMigrated runs a test for a table of each protocol, in databases of their own.
func overBothMigrated(t *testing.T, test func(t *testing.T, d *clickhousetest.Database, to *Table)) {
	t.Helper()
	clickhousetest.OverBoth(t, func(t *testing.T, d *clickhousetest.Database, dsn string) {
		store := reach(dsn)
		d.Migrate()
		to := quiet(store)
		defer to.Close()
		test(t, d, to)
	})
}

// months makes a block whose rows fall into several table partitions.
func months(t *testing.T, n int) *rowsroom.Block {
	t.Helper()
	var records []rowstest.Record
	for i := range n {
		at := time.Date(2024, time.Month(1+i%3), 1, 0, 0, 0, 0, time.UTC)
		records = append(records, rowstest.From(int64(i), "demo", rowstest.ID(uint64(i)), rowstest.Noon, fmt.Sprintf(`{"message":"event %d","timestamp":%q}`, i, at.Format(time.RFC3339)))) // small
	}
	return rowstest.Block(t, records...)
}

// A block that is sent again under its token changes nothing, however large it is. It is one block: one part in each
// table partition.
func TestTokenDropsTheSameBlock(t *testing.T) {
	overBothMigrated(t, func(t *testing.T, d *clickhousetest.Database, to *Table) {
		const rows = 75_000 // more than ClickHouse's own block size, which is 65,409
		b := months(t, rows)
		for range 3 {
			if err := to.Insert(t.Context(), "events_raw/events/0/0-74999/1", b); err != nil {
				t.Fatal(err)
			}
		}
		d.Asks("SELECT count() FROM events_raw", fmt.Sprint(rows))
		d.Asks("SELECT count(), min(rows), max(max_block_number - min_block_number) FROM system.parts WHERE database = currentDatabase() AND table = 'events_raw'", "3\t25000\t0")
	})
}

// The missing part of a block is added, without a second row of the part that is there.
func TestTokenAddsWhatIsMissing(t *testing.T) {
	overBothMigrated(t, func(t *testing.T, d *clickhousetest.Database, to *Table) {
		b := months(t, 9)
		if err := to.Insert(t.Context(), "token", b.Pick([]int32{1, 4, 7})); err != nil {
			t.Fatal(err)
		}
		missing, err := to.Missing(t.Context(), "events", 0, b)
		if want := []int32{0, 2, 3, 5, 6, 8}; err != nil || !slices.Equal(missing, want) {
			t.Errorf("missing %v, error %v; want %v", missing, err, want)
		}
		for range 2 {
			if err := to.Insert(t.Context(), "token", b); err != nil {
				t.Fatal(err)
			}
		}
		d.Asks("SELECT count(), uniqExact(_offset) FROM events_raw", "9\t9")
		if missing, err := to.Missing(t.Context(), "events", 0, b); err != nil || len(missing) > 0 {
			t.Errorf("missing %v, error %v", missing, err)
		}
	})
}

// Other rows under a used token are dropped, and answered as if they were in. That is why a token has the hash of the
// content, and why a uncertain insert is compared with the table.
func TestTokenDropsOtherRows(t *testing.T) {
	overBothMigrated(t, func(t *testing.T, d *clickhousetest.Database, to *Table) {
		old, fresh := rowstest.Block(t, rowstest.Plain(1), rowstest.Plain(2)), rowstest.Block(t, rowstest.From(1, "demo", rowstest.ID(101), rowstest.Noon, `{"message":"another"}`))
		for _, b := range []*rowsroom.Block{old, fresh} {
			if err := to.Insert(t.Context(), "token", b); err != nil {
				t.Fatal(err)
			}
		}
		d.Asks("SELECT count() FROM events_raw", "2")
		missing, err := to.Missing(t.Context(), "events", 0, fresh)
		if err != nil || !slices.Equal(missing, []int32{0}) {
			t.Errorf("the offset is there with another event: missing %v, error %v", missing, err)
		}
		if err := to.Insert(t.Context(), "token/again-1", fresh); err != nil {
			t.Fatal(err)
		}
		d.Asks("SELECT count() FROM events_raw", "3")
	})
}

// Highest asks for the rows of one topic and one partition.
func TestHighest(t *testing.T) {
	overBothMigrated(t, func(t *testing.T, d *clickhousetest.Database, to *Table) {
		ask := func(topic string, partition int, from, want int64) {
			t.Helper()
			if got, err := to.Highest(t.Context(), topic, partition, from); got != want || err != nil {
				t.Errorf("highest of %s %d from %d: %d, error %v; want %d", topic, partition, from, got, err, want)
			}
		}
		ask("events", 0, 0, -1)
		if err := to.Insert(t.Context(), "", rowstest.Block(t, rowstest.Plain(0), rowstest.Plain(5), rowstest.Plain(7))); err != nil {
			t.Fatal(err)
		}
		ask("events", 0, 0, 7)
		ask("events", 0, 7, 7)
		ask("events", 0, 8, -1)
		ask("events", 1, 0, -1)
		ask("it's\\another", 0, 0, -1)
	})
}
