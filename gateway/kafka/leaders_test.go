package kafka

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/kafka/kafkatest"
	"sluice/internal/recordbatch/batchtest"
)

// TestLeaderGone: a broker that leads a third of the partitions dies or hangs, and Kafka elects nobody in its place yet. Others go on:
// there are never three seconds without an acknowledgement.
func TestLeaderGone(t *testing.T) {
	for name, end := range map[string]func(*kafkatest.Link){"killed": (*kafkatest.Link).Kill, "stopped": (*kafkatest.Link).Stop} {
		for _, by := range []string{"none", "event_id"} {
			t.Run(name+", by "+by, func(t *testing.T) {
				s := kafkatest.OnFake(t, 3, 12)
				for i := range int32(12) { // each lane has a partition of each broker
					require.NoError(t, s.Cluster.MoveTopicPartition("events", i, i/4))
				}
				links := kafkatest.Linked(t, s)
				p := producerOf(s, links.Dial)
				pub := publisherOver(t, p, "none")
				require.Eventually(t, func() bool { return pub.Partitions() == 12 }, 20*time.Second, 2*time.Millisecond)
				var last, acked, failed atomic.Int64
				var longest time.Duration
				ctx, stop := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for client := range 48 {
					all.Go(func() {
						for i := 0; ctx.Err() == nil; i++ {
							r := batchtest.Record{Value: []byte(fmt.Sprint(client, " ", i))}
							if by == "event_id" {
								r.Key = r.Value
							}
							if err := send(pub, []batchtest.Record{r}, time.Now().Add(5*time.Second))[0]; err != nil {
								failed.Add(1)
								continue
							}
							acked.Add(1)
							last.Store(time.Now().UnixNano())
						}
					})
				}
				require.Eventually(t, func() bool { return acked.Load() > 1000 }, 20*time.Second, 2*time.Millisecond)
				end(links.To[s.Brokers[1]])
				for began := time.Now(); time.Since(began) < 5*time.Second; <-time.After(5 * time.Millisecond) {
					longest = max(longest, time.Since(time.Unix(0, last.Load())))
				}
				before := acked.Load()
				require.Eventually(t, func() bool { return by == "event_id" || acked.Load() > before+1000 }, 20*time.Second, 2*time.Millisecond)
				stop()
				all.Wait()
				t.Logf("%d acknowledged, %d not; the longest time without any: %s", acked.Load(), failed.Load(), longest)
				// With keys each client comes to a partition of the dead broker sooner or later, and waits for it.
				if by == "none" && longest > 3*time.Second {
					t.Errorf("%s without an acknowledgement", longest)
				}
			})
		}
	}
}

// TestStuckKeyHoldsNobodyUp: keys of a partition whose leader hangs wait, in order; the other keys of the lane do not.
func TestStuckKeyHoldsNobodyUp(t *testing.T) {
	s := kafkatest.OnFake(t, 3, 12)
	links := kafkatest.Linked(t, s)
	p := producerOf(s, links.Dial)
	pub := publisherOver(t, p, "none")
	require.Eventually(t, func() bool { return pub.Partitions() == 12 }, 20*time.Second, 2*time.Millisecond)
	of, err := p.Replicas(t.Context())
	require.NoError(t, err)
	at := func(partition int) batchtest.Record {
		for i := 0; ; i++ {
			if key := fmt.Appendf(nil, "key %d", i); pub.PartitionOf(key) == partition {
				return batchtest.Record{Key: key, Value: key}
			}
		}
	}
	for i := range 12 {
		require.NoError(t, send(pub, []batchtest.Record{at(i)}, time.Now().Add(10*time.Second))[0])
	}
	for _, l := range links.To {
		if l.Broker == s.Brokers[of[1].Leader] {
			l.Stop()
		}
	}
	var stuck sync.WaitGroup
	for range 3 {
		stuck.Go(func() { _ = send(pub, []batchtest.Record{at(1)}, time.Now().Add(3*time.Second)) })
	}
	for i := range 12 {
		if of[i].Leader == of[1].Leader {
			continue
		}
		start := time.Now()
		if err := send(pub, []batchtest.Record{at(i)}, time.Now().Add(10*time.Second))[0]; err != nil || time.Since(start) > 2*time.Second {
			t.Errorf("partition %d: %v after %s", i, err, time.Since(start))
		}
	}
	stuck.Wait()
}

// A connection that the broker has closed is noticed before anything is written to it.
func TestDeadConnection(t *testing.T) {
	s := kafkatest.OnFake(t, 1, 1)
	links := kafkatest.Linked(t, s)
	p := producerOf(s, links.Dial)
	require.NoError(t, p.Produce(t.Context(), 0, batchOf(t, batchtest.Record{Value: []byte("a")})))
	l := links.To[s.Brokers[0]]
	l.Kill()
	l.Gone()
	err := p.Produce(t.Context(), 0, batchOf(t, batchtest.Record{Value: []byte("b")}))
	if err == nil || broker.ReasonOf(err) != broker.ReasonUnreachable || !bytes.Contains([]byte(err.Error()), []byte(broker.ErrNotWritten.Error())) {
		t.Errorf("got %v", err)
	}
}
