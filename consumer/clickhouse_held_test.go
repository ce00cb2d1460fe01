package consumer

import (
	"log/slog"
	"testing"
)

// What a table has of some offsets is counted by offset, over both protocols and over the shards of a cluster.
func TestHeld(t *testing.T) {
	single, cloud := migrated(t), migrated(t)
	c, _, _ := twoShards(t)
	native, http := newPool(single.native(), slog.New(slog.DiscardHandler)), newPool(cloud.http(), slog.New(slog.DiscardHandler))
	t.Cleanup(native.close)
	t.Cleanup(http.close)
	for name, table := range map[string]table{"native": native, "http": http, "cluster": c} {
		rows := blockOf(t, plain(3), plain(4), plain(5), plain(9), later(9))
		if err := table.insert(t.Context(), rows, "token"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range []struct{ from, to, want int64 }{{0, 2, 0}, {0, 3, 1}, {3, 3, 1}, {4, 8, 2}, {0, 100, 4}, {9, 9, 1}, {10, 100, 0}} {
			if got, err := table.held(t.Context(), "events", 0, c.from, c.to); err != nil || got != c.want {
				t.Errorf("%s: %d from %d to %d, error %v; want %d", name, got, c.from, c.to, err, c.want)
			}
		}
		if got, err := table.held(t.Context(), "events", 1, 0, 100); err != nil || got != 0 {
			t.Errorf("%s: another partition has %d, error %v", name, got, err)
		}
	}
}

// Offsets that are used again after an unclean election are rows beside those that had them before, in the real table too; and what it has is not
// counted as lost when the group's offset is set back to where the topic has nothing any more.
func TestTableAfterUncleanElection(t *testing.T) {
	d := migrated(t)
	real := newPool(d.native(), slog.New(slog.DiscardHandler))
	t.Cleanup(real.close)
	topic, memory := newMemory(t)
	topic.dropped = true // the rows go elsewhere in this test
	owner := func() *worker {
		return newWorker(t, func(w *worker) {
			w.topic, w.kafka, w.ledger, w.graves = topic, topic, topic, topic
			w.partition.table, w.table = real, memory
		})
	}
	topic.add(20)
	w := owner()
	w.startUnbubbled()
	waitUntil(t, "the commit", func() bool { return topic.at() == 20 })
	topic.elect(12)
	topic.addLater(15)
	waitUntil(t, "the commit after the election", func() bool { return topic.at() == 27 })
	w.stop()
	d.asks("SELECT count(), uniqExact(event_id), uniqExact(_offset) FROM events_raw", "35\t35\t27")

	topic.add(3)
	topic.expire(30)
	topic.head, topic.metadata = 0, ""
	n := owner()
	n.startUnbubbled()
	waitUntil(t, "the commit after the reset", func() bool { return topic.at() == 30 })
	n.stop()
	if got := n.gauge(n.metrics.gaps); got != 3 {
		t.Errorf("%v records counted as lost, want 3", got)
	}
}
