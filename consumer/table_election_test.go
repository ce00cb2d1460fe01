package consumer

import (
	"testing"
)

// Offsets that are used again after an unclean election are rows beside those that had them before, in the real table too; and what it has is not
// counted as lost when the group's offset is set back to where the topic has nothing any more.
func TestTableAfterUncleanElection(t *testing.T) {
	d := migrated(t)
	real := tableOf(t, d.native())
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
