// Package idset finds the events of one bulk that have the same id. A Set is reused from bulk to bulk.
package idset

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/google/uuid"
)

// Set holds the ids of one bulk: an open-addressing table, at most half full, that is reused without being cleared. A
// Go map of as many ids costs several times as much, and each bulk needs one. The table holds the places of the ids
// instead of the ids, so that it is small enough for the processor's nearest cache.
//
// Call Reset before the first Add. A Set is for one goroutine at a time.
type Set struct {
	slots []slot
	ids   []uuid.UUID
	round uint16 // slots of other rounds are empty
	seed  [2]uint64
}

// slot is, from the highest bit on, 32 bits of the id's hash, 16 of the round and 16 of the place in ids.
type slot uint64

const (
	minSlots = 1 << 8  // the slots of a new set
	maxIDs   = 1 << 16 // the most ids that a set can hold
)

// Reset empties the set and keeps its memory.
func (s *Set) Reset() {
	s.ids = s.ids[:0]
	s.round++
	if s.round == 0 || len(s.slots) == 0 { // after 2^16 bulks old slots would look new
		slots, seed := make([]slot, max(minSlots, len(s.slots))), [2]uint64{rand.Uint64(), rand.Uint64()}
		*s = Set{slots: slots, ids: s.ids, round: 1, seed: seed}
	}
}

// Add adds an id and reports whether it is new. A set holds up to 65,536 ids.
func (s *Set) Add(id uuid.UUID) bool {
	if 2*len(s.ids) >= len(s.slots) {
		s.grow()
	}
	hash := s.hash(id)
	mask := uint64(len(s.slots) - 1)
	for i := hash; ; i++ {
		at := &s.slots[i&mask]
		if at.round() != s.round {
			*at = slot(hash&^(1<<32-1)) | slot(s.round)<<16 | slot(len(s.ids))
			s.ids = append(s.ids, id)
			return true
		}
		if uint64(*at)>>32 == hash>>32 && s.ids[at.place()] == id {
			return false
		}
	}
}

func (s slot) round() uint16 { return uint16(s >> 16) }
func (s slot) place() uint16 { return uint16(s) }

// hash mixes both halves of an id with numbers that no client knows, so that nobody can choose ids that collide.
func (s *Set) hash(id uuid.UUID) uint64 {
	a := binary.LittleEndian.Uint64(id[:8]) ^ s.seed[0]
	b := binary.LittleEndian.Uint64(id[8:]) ^ s.seed[1]
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// grow doubles the table.
func (s *Set) grow() {
	ids := s.ids
	*s = Set{slots: make([]slot, 2*len(s.slots)), ids: ids[:0], round: s.round, seed: s.seed}
	for _, id := range ids {
		s.Add(id)
	}
}
