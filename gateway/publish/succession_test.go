package publish

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
)

// A successor may look at the queue at once. Records there for the partition of the stuck batch must come after that
// batch.
func TestSuccessorSeesTheHold(t *testing.T) {
	pub := publisherFor(t, &brokertest.Memory{})
	pub.partitions.Store(12)
	stuck := pub.lanes[1]
	pub.team.lanes = map[*lane]bool{stuck: true}
	var taken []*chunk
	started := 0
	pub.team.start = func(next *lane) {
		started++
		taken = next.next(nil, false)
	}
	at := func(partition int) *chunk {
		return &chunk{partition: partition, count: 1, deadline: time.Now().Add(time.Hour)}
	}
	stuck.own.push(at(1))
	stuck.own.push(at(5))
	stuck.beginWork(1)
	stuck.handOver()
	if started != 1 || len(taken) != 1 || taken[0].partition != 5 {
		t.Fatalf("%d lanes started, the last took %d batches", started, len(taken))
	}
	if !stuck.endWork() || pub.leaders.holds(1) {
		t.Error("the partition is still held")
	}
	pub.team.start = nil
	next := pub.newLane(1, lanes, stuck.own)
	next.beginWork(1)
	next.handOver()
	if next.endWork() || pub.leaders.holds(1) {
		t.Error("a partition is held although no lane took over")
	}
}

// slowProducer is a Producer that takes its time.
type slowProducer struct{ *brokertest.Memory }

func (s slowProducer) Produce(ctx context.Context, partition int, batch []byte) error {
	time.Sleep(stuckAfter + 200*time.Millisecond) // the bubble's clock
	return s.Memory.Produce(ctx, partition, batch)
}

// Where each batch takes longer than stuckAfter, lanes come and go. Their producer ids stay.
func TestSlowKafkaGivesFewIDs(t *testing.T) {
	m := &brokertest.Memory{}
	synctest.Test(t, func(t *testing.T) {
		pub := publisherFor(t, slowProducer{m})
		ctx, cancel := context.WithCancel(t.Context())
		var running, all sync.WaitGroup
		running.Go(func() { pub.Run(ctx) })
		for range 600 { // 60 s of requests
			all.Go(func() {
				if err := publishOne(pub, 30*time.Second); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		all.Wait()
		cancel()
		running.Wait()
	})
	if most := int64(lanes * (stuckMost + 1)); m.IDs() > most {
		t.Errorf("%d producer ids, want %d at most", m.IDs(), most)
	}
	if n := len(m.Stored()); n != 600 {
		t.Errorf("%d records of 600", n)
	}
}

// avoiding is a Cluster that remembers the brokers of Avoid.
type avoiding struct {
	*brokertest.Memory
	brokers []int32
}

func (a *avoiding) Replicas(context.Context) ([]broker.Replicas, error) {
	return nil, broker.ErrNoPartitions
}
func (a *avoiding) Probe(context.Context, int32) error { return nil }
func (a *avoiding) Avoid(brokers []int32)              { a.brokers = brokers }

// A successor first needs a producer id. It must not ask the broker that holds its predecessor up.
func TestSuccessorAsksAnotherBroker(t *testing.T) {
	c := &avoiding{Memory: &brokertest.Memory{}}
	pub := publisherFor(t, c)
	pub.partitions.Store(2)
	pub.leaders.learn([]broker.Replicas{{Leader: 6}, {Leader: 7}}, time.Now())
	stuck := pub.lanes[1]
	pub.team.lanes = map[*lane]bool{stuck: true}
	started := false
	pub.team.start = func(*lane) {
		if started = true; !slices.Equal(c.brokers, []int32{7}) {
			t.Errorf("avoided: %v", c.brokers)
		}
	}
	stuck.attempt.partition.Store(1)
	stuck.attempt.since.Store(1)
	stuck.beginWork(-1)
	stuck.handOver()
	if !stuck.endWork() || !started {
		t.Error("no lane took over")
	}
}

// eachLane must not hold the team's lock while it calls f: handOver takes the two locks in the other order.
func TestLanesAreWatchedWhileTheyHandOver(t *testing.T) {
	t.Parallel()
	pub := publisherFor(t, &brokertest.Memory{})
	pub.partitions.Store(12)
	stuck := pub.lanes[1]
	pub.team.lanes = map[*lane]bool{stuck: true}
	started := 0
	pub.team.start = func(*lane) { started++ }
	stuck.beginWork(-1)
	pub.eachLane(func(l *lane) { l.handOver() }) // with the lock held this would wait for itself
	require.True(t, stuck.endWork())
	require.Equal(t, 1, started)
}
