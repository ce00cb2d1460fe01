package publish

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
	"sluice/internal/recordbatch/batchtest"
	"sluice/internal/testlog"
)

// An outage has the reason of its last failure.
func TestOutageReason(t *testing.T) {
	few := fmt.Errorf("%w: %w: not enough replicas", broker.ErrAnswered, broker.ErrNotWritten)
	for want, err := range map[string]error{
		broker.ReasonReplicas:    broker.WithReason(few, broker.ReasonReplicas),
		broker.ReasonUnreachable: brokertest.ErrDown,
		broker.ReasonRefused:     fmt.Errorf("%w: %w: invalid record", broker.ErrAnswered, broker.ErrRefused),
	} {
		m := &brokertest.Memory{}
		said := &testlog.Counter{}
		inBubble(t, m, said, func(t *testing.T, pub *Publisher) {
			m.Failing(func() (bool, error) { return false, err })
			_ = publishOne(pub, 5*time.Second)
			if r := pub.outage.reason(); r != want || said.Of("kafka is away") != 1 {
				t.Errorf("%v: reason %s, said %v", err, r, said.All())
			}
		})
	}
}

// A sign of life ends an outage once. If Kafka does not take the next batch, only a batch that it takes ends the
// outage.
func TestSignOfLifeIsTrustedOnce(t *testing.T) {
	m := &brokertest.Memory{}
	said := &testlog.Counter{}
	inBubble(t, m, said, func(t *testing.T, pub *Publisher) {
		m.Failing(func() (bool, error) { return false, errors.New("connection reset") }) // and every id is given
		var quick int
		_ = publishOne(pub, 5*time.Second)
		for range 100 { // minutes
			var all sync.WaitGroup
			all.Go(func() { _ = publishOne(pub, 10*time.Second) }) // finds out
			synctest.Wait()
			start := time.Now()
			_ = publishOne(pub, 10*time.Second)
			if time.Since(start) == 0 {
				quick++
			}
			all.Wait()
			time.Sleep(200 * time.Millisecond) // the bubble's clock
		}
		if away, back := said.Of("kafka is away"), said.Of("kafka is back"); away > 2 || back > 1 || quick < 98 {
			t.Errorf("away %d times, back %d times; %d of 100 requests were answered at once", away, back, quick)
		}
		m.Failing(nil)
		for range 10 {
			if publishOne(pub, 10*time.Second) == nil {
				break
			}
			time.Sleep(200 * time.Millisecond) // the bubble's clock
		}
		synctest.Wait()
		if pub.outage.away(time.Now()) {
			t.Error("a batch that was taken did not end it")
		}
	})
}

// hanging is a Kafka with three brokers, each of which leads a partition. Those that hang answer nothing.
type hanging struct {
	*brokertest.Memory

	mu    sync.Mutex
	hangs map[int32]bool
}

func (h *hanging) hang(ids ...int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hangs = map[int32]bool{}
	for _, id := range ids {
		h.hangs[id] = true
	}
}

// answer waits for ctx if the broker hangs.
func (h *hanging) answer(ctx context.Context, id int32) error {
	h.mu.Lock()
	hangs := h.hangs[id]
	h.mu.Unlock()
	if !hangs {
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (h *hanging) Produce(ctx context.Context, partition int, batch []byte) error {
	if err := h.answer(ctx, int32(partition)); err != nil {
		return err
	}
	return h.Memory.Produce(ctx, partition, batch)
}

func (h *hanging) Replicas(context.Context) ([]broker.Replicas, error) {
	return []broker.Replicas{
		{Leader: 0, InSync: []int32{0}}, {Leader: 1, InSync: []int32{1}}, {Leader: 2, InSync: []int32{2}},
	}, nil
}

func (h *hanging) Probe(ctx context.Context, id int32) error { return h.answer(ctx, id) }

func (h *hanging) Avoid([]int32) {}

// One broker of three hangs, and the only batch for a while is for it. Kafka is not away: the other brokers answer.
// When they hang too, Kafka is away although no other batch shows it.
func TestOneHungBrokerIsNoOutage(t *testing.T) {
	t.Parallel()
	h := &hanging{Memory: &brokertest.Memory{}}
	logged := &testlog.Counter{}
	inBubble(t, h, logged, func(t *testing.T, pub *Publisher) {
		h.hang(1)
		var stuck sync.WaitGroup
		for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
			if pub.PartitionOf([]byte(key)) == 1 {
				stuck.Go(func() {
					r := []batchtest.Record{{Key: []byte(key)}}
					assert.NoError(t, publish(pub, r, time.Now().Add(time.Minute))[0])
				})
				break
			}
		}
		for range 150 { // 15 s, three times AttemptTimeout
			time.Sleep(100 * time.Millisecond) // the bubble's clock
			_, away := pub.Away()
			require.False(t, away, "kafka counts as away while two brokers answer")
		}
		require.NoError(t, publishOne(pub, time.Second))
		require.Zero(t, logged.Of("kafka is away"))
		h.hang(0, 1, 2)
		time.Sleep(outageAfter + 2*outageProbe + 2*outageWait) // the bubble's clock
		_, away := pub.Away()
		require.True(t, away, "no broker answers and kafka does not count as away")
		h.hang()
		stuck.Wait()
	})
}
