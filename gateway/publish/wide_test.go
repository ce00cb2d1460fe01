package publish

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/gateway/broker"
	"sluice/gateway/broker/brokertest"
	"sluice/internal/recordbatch/batchtest"
)

// wide is a Cluster of any size. A batch takes 2 ms.
type wide struct {
	brokertest.Memory
	brokers, partitions int

	batches, records atomic.Int64
	used             sync.Map // the partitions that got a batch
}

func (w *wide) Produce(_ context.Context, partition int, batch []byte) error {
	time.Sleep(2 * time.Millisecond) // the bubble's clock
	w.used.Store(partition, true)
	w.batches.Add(1)
	w.records.Add(int64(binary.BigEndian.Uint32(batch[57:])))
	return nil
}

func (w *wide) Partitions(context.Context) (int, error) { return w.partitions, nil }

func (w *wide) Replicas(context.Context) ([]broker.Replicas, error) {
	of := make([]broker.Replicas, w.partitions)
	for p := range of {
		leader := int32(p % w.brokers)
		of[p] = broker.Replicas{Leader: leader, InSync: []int32{leader}}
	}
	return of, nil
}

func (w *wide) Probe(context.Context, int32) error { return nil }

func (w *wide) Avoid([]int32) {}

// Records without a key share batches however many partitions and brokers there are. So the batches on a large cluster
// are as full as on a small one, and all partitions get their share.
func TestBatchesStayFull(t *testing.T) {
	perBatch := func(t *testing.T, w *wide) (full float64) {
		t.Helper()
		inBubble(t, w, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
			var all sync.WaitGroup
			for range 200 {
				all.Go(func() {
					for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); {
						if err := publishOne(pub, time.Minute); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			for p := range w.partitions {
				_, ok := w.used.Load(p)
				require.True(t, ok, "partition %d got nothing", p)
			}
			full = float64(w.records.Load()) / float64(w.batches.Load())
		})
		return full
	}
	small := perBatch(t, &wide{brokers: 3, partitions: 12})
	large := perBatch(t, &wide{brokers: 30, partitions: 384})
	assert.Greater(t, small, 10.0)
	assert.GreaterOrEqual(t, large, 0.75*small, "they vary by a tenth or so from run to run")
}

// A record with a key waits for the batches of the partitions that share its lane, and not the longer the more
// partitions there are.
func TestKeysDoNotWaitForPartitions(t *testing.T) {
	longest := func(t *testing.T, w *wide) (longest time.Duration) {
		t.Helper()
		var mu sync.Mutex
		inBubble(t, w, slog.DiscardHandler, func(t *testing.T, pub *Publisher) {
			var all sync.WaitGroup
			for client := range 400 { // 4,000 records a second
				all.Go(func() {
					time.Sleep(time.Duration(client) * 250 * time.Microsecond)
					for n := range 5 {
						began := time.Now()
						r := batchtest.Record{Key: fmt.Appendf(nil, "%d of %d", n, client), Value: []byte("{}")}
						if err := publish(pub, []batchtest.Record{r}, began.Add(time.Minute))[0]; err != nil {
							t.Error(err)
						}
						mu.Lock()
						longest = max(longest, time.Since(began))
						mu.Unlock()
						time.Sleep(100*time.Millisecond - time.Since(began))
					}
				})
			}
			all.Wait()
		})
		return longest
	}
	small := longest(t, &wide{brokers: 3, partitions: 12})
	large := longest(t, &wide{brokers: 30, partitions: 384})
	t.Logf("longest wait: %s with 12 partitions, %s with 384", small, large)
	assert.LessOrEqual(t, large, 2*small)
}

// A partition keeps its lane whatever is added. Up to 384 partitions, at most twelve share a lane, and up to 48 they
// have the lanes that also take records without a key.
func TestLanesOfKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ partitions, lanes, sharing int }{
		{1, 1, 1}, {3, 3, 1}, {4, 4, 1}, {12, 4, 3}, {47, 4, 12}, {48, 4, 12}, {49, 5, 12}, {96, 8, 12},
		{383, 32, 12}, {384, 32, 12}, {385, 32, 13}, {1536, 32, 48},
	} {
		of := map[int]int{}
		for p := range c.partitions {
			of[laneOf(p)]++
		}
		pub := publisherFor(t, &wide{})
		pub.partitions.Store(int64(c.partitions))
		assert.Len(t, of, c.lanes, "%d partitions", c.partitions)
		assert.Equal(t, c.sharing, slices.Max(slices.Collect(maps.Values(of))), "%d partitions", c.partitions)
		for i, l := range pub.lanes {
			assert.Equal(t, of[i] > 0, l.hasPartition(), "lane %d of %d partitions", i, c.partitions)
			assert.Equal(t, i < min(lanes, c.partitions), l.takesShared(), "lane %d of %d partitions", i, c.partitions)
		}
	}
}
