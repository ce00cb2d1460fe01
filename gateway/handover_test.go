package gateway

import (
	"log/slog"
	"testing"
	"time"
)

// TestSuccessorSeesTheHold: a lane that takes over from a stuck one may look at the queue at once. What waits there for the partition
// of the stuck batch must come after that batch.
func TestSuccessorSeesTheHold(t *testing.T) {
	metrics, _ := newMetrics(func() float64 { return 0 })
	pub := newPublisher(&memory{}, 1<<20, metrics, slog.New(slog.DiscardHandler))
	pub.partitions.Store(12)
	stuck := pub.lanes[1]
	pub.team.lanes = map[*lane]bool{stuck: true}
	var taken []*chunk
	started := 0
	pub.team.start = func(next *lane) {
		started++
		taken = next.next(nil)
	}
	at := func(partition int) *chunk {
		return &chunk{partition: partition, count: 1, deadline: time.Now().Add(time.Hour)}
	}
	stuck.own.push(at(1))
	stuck.own.push(at(5))
	stuck.begin(1)
	stuck.handOver()
	if started != 1 || len(taken) != 1 || taken[0].partition != 5 {
		t.Fatalf("%d lanes started, the last took %d batches", started, len(taken))
	}
	if !stuck.end() || pub.leaders.holds(1) {
		t.Error("the partition is still held")
	}
	pub.team.start = nil
	next := pub.newLane(1, stuck.own)
	next.begin(1)
	next.handOver()
	if next.end() || pub.leaders.holds(1) {
		t.Error("a partition is held although nobody took over")
	}
}
