package e2e

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/consumer/delivery"
)

// commitDelay is how late a late commit is.
func commitDelay() time.Duration { return time.Duration(500+rand.IntN(2500)) * time.Millisecond }

// tearing answers errors for some partitions of a commit, which are not stored.
func tearing(refused func(partition int32) bool) func(*kmsg.OffsetCommitRequest) fate {
	return func(r *kmsg.OffsetCommitRequest) fate {
		codes := []int16{kerr.UnknownTopicOrPartition.Code, kerr.OffsetMetadataTooLarge.Code,
			kerr.CoordinatorLoadInProgress.Code}
		without := map[int32]int16{}
		for _, topic := range r.Topics {
			for _, p := range topic.Partitions {
				if refused(p.Partition) {
					without[p.Partition] = codes[rand.IntN(len(codes))]
				}
			}
		}
		return fate{without: without}
	}
}

// TestTornCommits: the broker stores a commit for some of its partitions and answers errors for the others. The blocks
// of those that were stored are on their way when the consumer dies. Others take over.
func TestTornCommits(t *testing.T) {
	t.Parallel()
	h := newHandover(t, ways["shared"])
	for round := range handovers() {
		h.begin()
		h.front.rule(tearing(func(int32) bool { return rand.IntN(3) == 0 }))
		for range 5 { // now and then one of them is refused
			h.produce(h.w.each / 2)
			torn := h.front.torn.Load()
			h.eventually("a torn commit", func() bool { h.some(); return h.front.torn.Load() > torn })
		}
		h.exactly(h.produced)
		refused := int32(rand.IntN(3))
		h.front.rule(tearing(func(p int32) bool { return p%3 == refused })) // these always
		h.gate.close()
		torn := h.front.torn.Load()
		h.produce(h.w.each)
		h.eventually("inserts on their way, and more torn commits", func() bool {
			h.some()
			return h.gate.held.Load() > 0 && h.front.torn.Load() > torn+2
		})
		for p, ranges := range h.recorded() {
			if int32(p)%3 == refused {
				assert.Empty(t, ranges, "partition %d", p)
			}
		}
		h.handOver(true, momentOf(round), round/3)
	}
}

// TestLateCommits: the answer to a commit is lost, and the broker stores the commit later, over those that came after
// it. Blocks of its partitions alone were recorded since. Nobody knows them any more when the consumer dies.
func TestLateCommits(t *testing.T) {
	t.Parallel()
	h := newHandover(t, ways["shared"])
	for round := range handovers() {
		h.begin()
		const several = 3 // the first commit often has one partition, and the next one the others
		late := make(chan []kmsg.OffsetCommitRequestTopicPartition, 1)
		var taken atomic.Bool
		h.front.rule(func(r *kmsg.OffsetCommitRequest) fate {
			if len(r.Topics[0].Partitions) < several || !taken.CompareAndSwap(false, true) {
				return fate{}
			}
			late <- r.Topics[0].Partitions
			return fate{cut: true, late: 6 * time.Second}
		})
		h.eventually("a commit on its way", func() bool { h.produce(h.w.each / 4); return h.front.late.Load() > 0 })
		// What comes now must be recorded again before it is inserted.
		h.gate.close()
		held := <-late
		for _, p := range held {
			h.events(int(p.Partition), h.w.each/2)
			h.produced += h.w.each / 2
		}
		h.eventually("the late commit stored", func() bool { return h.front.delivered.Load() > 0 })
		now := h.recorded()
		for _, p := range held {
			ranges, _, ok := delivery.DecodeMetadata(p.Offset, *p.Metadata)
			require.True(t, ok)
			assert.Equal(t, ranges, now[int(p.Partition)], "partition %d: the late commit is not stored", p.Partition)
		}
		h.handOver(true, momentOf(round), round/3)
	}
}
