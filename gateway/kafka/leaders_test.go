package kafka

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/kafka/kafkatest"
	"sluice/gateway/publish"
	"sluice/internal/recordbatch/batchtest"
)

// ends are the ways in which a broker's process ends.
var ends = map[string]func(*kafkatest.Link){"killed": (*kafkatest.Link).Kill, "stopped": (*kafkatest.Link).Stop}

// linkedPublisher runs a publisher that reaches three brokers through links, a third of 12 partitions each.
func linkedPublisher(t *testing.T) (*kafkatest.Site, *kafkatest.Links, *Producer, *publish.Publisher) {
	t.Helper()
	s := kafkatest.OnFake(t, 3, 12)
	for i := range int32(12) { // each lane has a partition of each broker
		require.NoError(t, s.Cluster.MoveTopicPartition("events", i, i/4))
	}
	links := kafkatest.NewLinks(t, s)
	p := producerOf(s, links.Dial)
	pub := publisherOver(t, p, "none")
	eventually(t, func() bool { return pub.Partitions() == 12 })
	return s, links, p, pub
}

// eventually waits for a condition, not for a time.
func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 2*time.Millisecond)
}

// A broker that leads a third of the partitions dies or hangs, and Kafka elects no other leader yet. The others go on:
// there are never six seconds without an acknowledgement.
// A machine with little else to do shows a gap of half a second. Requests that wait for the leader that is gone make one of 9 to 13 s.
func TestLeaderGone(t *testing.T) {
	t.Parallel()
	const bound = 6 * time.Second
	for name, end := range ends {
		for _, by := range []string{"none", "event_id"} {
			t.Run(name+", by "+by, func(t *testing.T) {
				t.Parallel()
				_, links, _, pub := linkedPublisher(t)
				var last, acked, failed atomic.Int64
				ctx, stop := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for client := range 16 {
					all.Go(func() {
						for i := 0; ctx.Err() == nil; i++ {
							r := batchtest.Record{Value: []byte(fmt.Sprint(client, " ", i))}
							if by == "event_id" {
								r.Key = r.Value
							}
							if send(pub, []batchtest.Record{r}, time.Now().Add(5*time.Second))[0] != nil {
								failed.Add(1)
								continue
							}
							acked.Add(1)
							last.Store(time.Now().UnixNano())
						}
					})
				}
				eventually(t, func() bool { return acked.Load() > 300 })
				end(links.To(1))
				var longest time.Duration
				watched := time.Now().Add(bound + 200*time.Millisecond)
				for ; time.Now().Before(watched); <-time.After(5 * time.Millisecond) {
					longest = max(longest, time.Since(time.Unix(0, last.Load())))
				}
				before := acked.Load()
				eventually(t, func() bool { return by == "event_id" || acked.Load() > before+300 })
				stop()
				all.Wait()
				t.Logf("%d acknowledged, %d not; longest time without any: %s", acked.Load(), failed.Load(), longest)
				// With keys each client comes to a partition of the dead broker sooner or later, and waits for it.
				if by == "none" {
					assert.LessOrEqual(t, longest, bound, "without an acknowledgement")
				}
			})
		}
	}
}

// Keys of a partition whose leader hangs wait, in order. The other keys of the lane do not.
func TestStuckKeyHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	_, links, p, pub := linkedPublisher(t)
	of, err := p.Replicas(t.Context())
	require.NoError(t, err)
	at := func(partition int) []batchtest.Record {
		for i := 0; ; i++ {
			if key := fmt.Appendf(nil, "key %d", i); pub.PartitionOf(key) == partition {
				return []batchtest.Record{{Key: key, Value: key}}
			}
		}
	}
	for i := range 12 {
		require.NoError(t, send(pub, at(i), time.Now().Add(10*time.Second))[0])
	}
	links.To(int(of[1].Leader)).Stop()
	var stuck sync.WaitGroup
	var ended atomic.Int64
	for range 3 {
		stuck.Go(func() { _ = send(pub, at(1), time.Now().Add(6*time.Second)); ended.Add(1) })
	}
	for i := range 12 {
		if of[i].Leader == of[1].Leader {
			continue
		}
		assert.NoError(t, send(pub, at(i), time.Now().Add(time.Minute))[0], "partition %d", i)
	}
	assert.Zero(t, ended.Load(), "the other keys had to wait for the stuck ones, which wait for 6 s")
	stuck.Wait()
}

// A connection that the broker has closed is noticed before anything is written to it.
func TestDeadConnection(t *testing.T) {
	t.Parallel()
	s := kafkatest.OnFake(t, 1, 1)
	links := kafkatest.NewLinks(t, s)
	p := producerOf(s, links.Dial)
	require.NoError(t, p.Produce(t.Context(), 0, batchOf(t, batchtest.Record{Value: []byte("a")})))
	links.To(0).Kill()
	links.To(0).Wait()
	err := p.Produce(t.Context(), 0, batchOf(t, batchtest.Record{Value: []byte("b")}))
	require.ErrorIs(t, err, broker.ErrNotWritten)
	assert.Equal(t, broker.ReasonUnreachable, broker.ReasonOf(err))
}
