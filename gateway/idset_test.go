package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"

	"sluice/internal/event"
)

// TestIDSet compares with a map, over more bulks than a round can be told from.
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
			if got := s.add(id); got == seen[id] {
				t.Fatalf("bulk %d, id %d of %d: new is %v", n, len(seen), size, got)
			}
			seen[id] = true
		}
	}
	if event.MaxBulkEvents > mostIDs {
		t.Errorf("a bulk can have %d events, a set %d ids", event.MaxBulkEvents, mostIDs)
	}
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
		if !s.add(id) || s.add(id) {
			t.Errorf("%s", id)
		}
	}
	if s.hash(b) != s.hash(c) {
		t.Error("these were meant to have the same hash")
	}
}
