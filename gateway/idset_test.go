package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"sluice/internal/event"
)

// TestIDSet compares a set with a map, over more bulks than there are rounds.
func TestIDSet(t *testing.T) {
	var s idSet
	rnd := rand.New(rand.NewPCG(5, 6))
	const bulks = 1<<16 + 100
	for n := range bulks {
		size, others := 8, uint64(6)
		if n%8192 == 0 || n > bulks-3 {
			size, others = event.MaxBulkEvents, 20_000
		}
		s.reset()
		seen := make(map[uuid.UUID]bool, size)
		for range size {
			var id uuid.UUID
			binary.BigEndian.PutUint64(id[8:], rnd.Uint64N(others))
			if s.add(id) == seen[id] { // assert would take most of the time here
				require.Fail(t, "an id is new that is not, or the reverse", "bulk %d, id %d of %d", n, len(seen), size)
			}
			seen[id] = true
		}
	}
	assert.LessOrEqual(t, event.MaxBulkEvents, maxIDs)
}

// TestIDSetComparesIDs: ids of the same hash are told apart.
func TestIDSetComparesIDs(t *testing.T) {
	var s idSet
	s.reset()
	a, b := uuid.New(), uuid.Nil
	binary.LittleEndian.PutUint64(b[:8], s.seed[0]) // one factor is 0
	c := b
	binary.LittleEndian.PutUint64(c[8:], s.seed[1]) // both are
	for _, id := range []uuid.UUID{a, b, c} {
		assert.True(t, s.add(id), "%s is new", id)
		assert.False(t, s.add(id), "%s is not new any more", id)
	}
	assert.Equal(t, s.hash(b), s.hash(c), "the test needs ids of the same hash")
}
