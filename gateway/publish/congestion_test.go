package publish

import (
	"testing"
	"time"
)

func TestQueueWaitEstimate(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	const batch = maxBatchBytes
	type look struct {
		after time.Duration
		acked int64 // by then
		bytes int64 // waiting
		want  bool
	}
	for name, looks := range map[string][]look{
		"one batch is no queue": {{0, 0, batch, false}, {time.Second, 1, batch, false}},
		"a byte more is, if it stays": {
			{0, 0, batch + 1, false}, {queueStands - 1, 1, batch + 1, false}, {queueStands, 1, batch + 1, true},
		},
		"just the bound":           {{0, 0, 10 * batch, false}, {queueStands, batch, 10 * batch, false}},
		"a byte above it":          {{0, 0, 10 * batch, false}, {queueStands, batch, 10*batch + 1, true}},
		"nothing was acknowledged": {{0, 0, 10 * batch, false}, {5 * time.Second, 0, 100 * batch, false}},
		"it emptied in between": {
			{0, 0, 10 * batch, false}, {queueStands / 2, batch, 0, false}, {queueStands, batch, 10 * batch, false},
		},
		"Kafka became slow, after a window": {
			{0, 0, 5 * batch, false}, {queueStands, batch, 5 * batch, false}, {paceWindow, batch, 5 * batch, true},
		},
		"Kafka became fast, after a window": {
			{0, 0, 5 * batch, false}, {queueStands, 1, 5 * batch, true}, {2 * queueStands, 1, 5 * batch, true},
			{2*queueStands + paceWindow, 100 * batch, 5 * batch, false},
		},
	} {
		w := congestion{most: time.Second}
		for i, l := range looks {
			if got := w.exceeds(l.bytes, paceMark{start.Add(l.after), 5000 + l.acked}); got != l.want {
				t.Errorf("%s, step %d: got %v", name, i+1, got)
			}
		}
	}
}
