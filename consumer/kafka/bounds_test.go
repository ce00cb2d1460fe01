package kafka

import (
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// askAll has every partition ask at once. It returns how many requests the broker got for that.
func askAll(t *testing.T, b *broker, partitions int, key kmsg.Key, ask func(partition int)) (requests int) {
	t.Helper()
	seen := b.Fault(kfake.Fault{Keys: []kmsg.Key{key}, TopLevel: true, Observe: true, Count: -1})
	defer seen.Remove()
	var all sync.WaitGroup
	for p := range partitions {
		all.Go(func() { ask(p) })
	}
	all.Wait()
	return seen.Hits()
}

// However many partitions ask where they begin and end, and what is committed, the broker gets a few requests, and
// each partition has its own answer: from a partition that the topic does not have, an error.
func TestPartitionsAskTogether(t *testing.T) {
	t.Parallel()
	const partitions = 50
	b := newBroker(t, partitions)
	m := b.joined(t)
	for p := range partitions {
		for i := range p {
			b.put(t, p, numbered(i))
		}
		if p%2 == 0 {
			require.NoError(t, b.Commit(t.Context(), m, p, int64(p), "of an even one"))
		}
	}
	requests := askAll(t, b, partitions+1, kmsg.ListOffsets, func(p int) {
		first, end, err := b.Bounds(t.Context(), p)
		if p == partitions {
			assert.ErrorIs(t, err, kafka.UnknownTopicOrPartition)
			return
		}
		assert.NoError(t, err)
		assert.Zero(t, first)
		assert.EqualValues(t, p, end, "partition %d", p)
	})
	assert.Less(t, requests, partitions/2)
	requests = askAll(t, b, partitions, kmsg.OffsetFetch, func(p int) {
		offset, metadata, err := b.Client.Committed(t.Context(), p)
		assert.NoError(t, err)
		if p%2 == 1 {
			assert.Negative(t, offset)
			return
		}
		assert.EqualValues(t, p, offset)
		assert.Equal(t, "of an even one", metadata)
	})
	assert.Less(t, requests, partitions/2)
	requests = askAll(t, b, partitions, kmsg.Metadata, func(p int) {
		past, err := b.Lineage(t.Context(), p, 0)
		assert.NoError(t, err)
		assert.NotZero(t, past.Topic)
	})
	assert.Less(t, requests, partitions/2)
}

// A leader that answers for some partitions only does not fail the others.
func TestBoundsErrors(t *testing.T) {
	t.Parallel()
	b := newBroker(t, 2)
	b.put(t, 1, numbered(0))
	fault := b.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition, Count: -1})
	_, _, err := b.Bounds(t.Context(), 0)
	fault.Remove()
	require.Error(t, err)
	_, end, err := b.Bounds(t.Context(), 1)
	require.NoError(t, err)
	assert.EqualValues(t, 1, end)
}
