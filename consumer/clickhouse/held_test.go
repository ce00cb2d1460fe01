package clickhouse

import (
	"log/slog"
	"testing"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// Held counts the offsets that have a row, over both protocols and over the shards of a cluster.
func TestHeld(t *testing.T) {
	single, cloud := clickhousetest.Migrated(t), clickhousetest.Migrated(t)
	c, _, _ := twoShards(t)
	native, http := New(reach(single.Native()), slog.New(slog.DiscardHandler)), quiet(reach(cloud.HTTP()))
	t.Cleanup(native.Close)
	t.Cleanup(http.Close)
	for name, table := range map[string]*Table{"native": native, "http": http, "cluster": c} {
		rows := rowstest.Block(t, rowstest.Plain(3), rowstest.Plain(4), rowstest.Plain(5), rowstest.Plain(9), rowstest.From(9, "demo", rowstest.ID(1009), rowstest.Noon, `{"message":"event 9"}`))
		if err := table.Insert(t.Context(), "token", rows); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range []struct{ from, to, want int64 }{{0, 2, 0}, {0, 3, 1}, {3, 3, 1}, {4, 8, 2}, {0, 100, 4}, {9, 9, 1}, {10, 100, 0}} {
			if got, err := table.Held(t.Context(), "events", 0, c.from, c.to); err != nil || got != c.want {
				t.Errorf("%s: %d from %d to %d, error %v; want %d", name, got, c.from, c.to, err, c.want)
			}
		}
		if got, err := table.Held(t.Context(), "events", 1, 0, 100); err != nil || got != 0 {
			t.Errorf("%s: another partition has %d, error %v", name, got, err)
		}
	}
}
