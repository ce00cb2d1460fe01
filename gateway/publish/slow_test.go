package publish

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
)

// uneven is a Cluster of three brokers, which lead a partition each. Each takes its time for a batch.
type uneven struct {
	*brokertest.Memory
	by      [3]atomic.Int64 // nanoseconds
	batches [3]atomic.Int64
}

func (l *uneven) Produce(ctx context.Context, partition int, batch []byte) error {
	l.batches[partition].Add(1)
	time.Sleep(time.Duration(l.by[partition].Load())) // the bubble's clock
	return l.Memory.Produce(ctx, partition, batch)
}

func (l *uneven) Replicas(context.Context) ([]broker.Replicas, error) {
	return []broker.Replicas{
		{Leader: 0, InSync: []int32{0}}, {Leader: 1, InSync: []int32{1}}, {Leader: 2, InSync: []int32{2}},
	}, nil
}

func (l *uneven) Probe(context.Context, int32) error { return nil }

func (l *uneven) Avoid([]int32) {}

// clients send one request after the other until the time is over. The result is how many took more than 100 ms.
func clients(t *testing.T, pub *Publisher, d time.Duration) (all, slow int64) {
	t.Helper()
	var running sync.WaitGroup
	var n, late atomic.Int64
	for range 8 {
		running.Go(func() {
			for end := time.Now().Add(d); time.Now().Before(end); n.Add(1) {
				began := time.Now()
				if err := publishOne(pub, time.Minute); err != nil {
					t.Error(err)
				}
				if time.Since(began) > 100*time.Millisecond {
					late.Add(1)
				}
			}
		})
	}
	running.Wait()
	return n.Load(), late.Load()
}

// One of three brokers answers late. After some seconds it gets a batch on trial now and then, and no more. When it has
// recovered it gets as many as the others.
func TestSlowBrokerIsAvoided(t *testing.T) {
	for name, by := range map[string]time.Duration{
		"before a successor takes over": 300 * time.Millisecond,
		"after that":                    stuckAfter + 200*time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			l := &uneven{Memory: &brokertest.Memory{}}
			for i := range l.by {
				l.by[i].Store(int64(5 * time.Millisecond))
			}
			inBubble(t, l, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
				require.Equal(t, 3, pub.Partitions())
				all, slow := clients(t, pub, 10*time.Second)
				require.Zero(t, slow, "of %d", all)
				healthy := l.batches[1].Load()

				l.by[1].Store(int64(by))
				clients(t, pub, 10*time.Second)
				before := l.batches[1].Load()
				all, slow = clients(t, pub, time.Minute)
				trials := l.batches[1].Load() - before
				assert.LessOrEqual(t, trials, int64(4))
				assert.Positive(t, trials)
				assert.Less(t, float64(slow), 0.005*float64(all))

				l.by[1].Store(int64(5 * time.Millisecond))
				clients(t, pub, slowMost+time.Second)
				before = l.batches[1].Load()
				clients(t, pub, 10*time.Second)
				assert.InDelta(t, healthy, l.batches[1].Load()-before, 0.2*float64(healthy))
			})
		})
	}
}

// A broker is slow above four times the latency of the fastest and 50 ms. When no other broker answers it is not, and
// when all are slow alike none is.
func TestSlowBound(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	of := []broker.Replicas{{Leader: 0}, {Leader: 1}, {Leader: 2}}
	isSlow := func(l *leaders) bool { return l.latencies[1].slow() }
	for name, c := range map[string]struct {
		others, mean time.Duration
		later        time.Duration // since the others answered
		want         bool
	}{
		"at the bound":        {10 * time.Millisecond, 90 * time.Millisecond, 0, false},
		"above the bound":     {10 * time.Millisecond, 90*time.Millisecond + 1, 0, true},
		"below the bound":     {10 * time.Millisecond, 90*time.Millisecond - 1, 0, false},
		"all are late":        {450 * time.Millisecond, 500 * time.Millisecond, 0, false},
		"others just counted": {10 * time.Millisecond, time.Second, latencyKept, true},
		"others long ago":     {10 * time.Millisecond, time.Second, latencyKept + 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLeaders()
			l.learn(of, now)
			l.note(0, nil, c.others, now)
			l.note(2, nil, c.others+time.Millisecond, now)
			l.note(1, nil, c.mean, now.Add(c.later))
			assert.Equal(t, c.want, isSlow(l))
			assert.Equal(t, c.want, l.any.Load())
			assert.False(t, l.unsettled(), "a broker that is slow answers")
		})
	}
}

// The pauses between trials double to a bound, and begin anew once a broker was in time for long enough.
func TestTrials(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	l := newLeaders()
	l.learn([]broker.Replicas{{Leader: 0}, {Leader: 1}}, now)
	answer := func(d time.Duration) {
		l.note(0, nil, time.Millisecond, now)
		l.note(1, nil, d, now)
	}
	at := func(int) int { return 1 }
	pause := func() time.Duration {
		began := now
		for now = now.Add(time.Second); ; now = now.Add(time.Second) {
			if _, ok := l.choose(1, at, now); ok {
				_, again := l.choose(1, at, now)
				require.False(t, again, "one batch on trial at a time")
				return now.Sub(began).Truncate(time.Second) - time.Second // choose wants more than the pause
			}
		}
	}
	answer(time.Second)
	for _, want := range []time.Duration{2, 4, 8, 16, 30, 30} {
		assert.Equal(t, want*time.Second, pause())
		answer(time.Second)
	}
	pause()
	answer(time.Millisecond)
	_, ok := l.choose(1, at, now)
	assert.True(t, ok, "one answer in time is enough")
	assert.False(t, l.any.Load())
	now = now.Add(slowMost + 1)
	answer(10 * time.Second) // a quarter of that is the mean
	assert.Equal(t, slowFirst, pause())
}
