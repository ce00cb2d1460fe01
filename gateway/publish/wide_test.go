package publish

import (
	"context"
	"encoding/binary"
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
	assert.GreaterOrEqual(t, large, 0.9*small)
}
