package consumer

import (
	"log/slog"
	"strings"
	"testing"

	"sluice/consumer/blocking"
)

// A consumer that starts before the schema exists waits, logs once what to do, and goes on when it is done. The order
// of starts does not matter.
func TestMigrateLater(t *testing.T) {
	d := newDatabase(t)
	topic, table := newMemory(t)
	topic.add(10)
	for offset := range int64(10) {
		table.rows[offset] = 1 // the rows go elsewhere in this test
	}
	log := &lines{}
	real := tableOf(t, d.native())
	w := newWorker(t, func(w *worker) {
		w.topic, w.kafka, w.offsets, w.deadLetters = topic, topic, topic, topic
		w.partition.table, w.table = real, table
		w.log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	w.startUnbubbled()
	waitUntil(t, "blocked by the set-up", func() bool { return w.blocked(blocking.Setup) == 1 })
	d.askServer("CREATE DATABASE " + d.name) // now it is the table that is missing
	waitUntil(t, "a try without the table", func() bool { return strings.Contains(log.String(), "UNKNOWN_TABLE") })
	d.Migrate()
	waitUntil(t, "the commit", func() bool { return w.happened("commit 10") == 1 })
	if w.blocked(blocking.Setup) != 0 {
		t.Error("still blocked")
	}
	if n := strings.Count(log.String(), "run `consumer migrate`"); n != 1 {
		t.Errorf("the hint was given %d times, want once:\n%s", n, log)
	}
	d.asks("SELECT count() FROM events", "10")
}
