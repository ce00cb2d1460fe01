package gateway

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/google/uuid"
)

// idSet has the ids of one bulk: an open-addressing table, at most half full, that is reused without being cleared. A Go
// map of as many ids costs several times as much, and each bulk needs one. The table holds the places of the ids instead
// of the ids, so that it is small enough for the processor's nearest cache.
type idSet struct {
	slots []idSlot
	ids   []uuid.UUID
	round uint16 // slots of other rounds are empty
	seed  [2]uint64
}

// idSlot is, from the highest bit on, 32 bits of the id's hash, 16 of the round and 16 of the place in ids.
type idSlot uint64

const (
	minIDSlots = 1 << 8  // the slots of a new set
	maxIDs     = 1 << 16 // the most ids that a set can hold
)

// reset empties the set.
func (s *idSet) reset() {
	s.ids = s.ids[:0]
	s.round++
	if s.round == 0 || len(s.slots) == 0 { // after 2^16 bulks old slots would look new
		slots, seed := make([]idSlot, max(minIDSlots, len(s.slots))), [2]uint64{rand.Uint64(), rand.Uint64()}
		*s = idSet{slots: slots, ids: s.ids, round: 1, seed: seed}
	}
}

// add adds an id and reports whether it is new. The set must have been reset once. It holds up to maxIDs.
func (s *idSet) add(id uuid.UUID) bool {
	if 2*len(s.ids) >= len(s.slots) {
		s.grow()
	}
	hash := s.hash(id)
	mask := uint64(len(s.slots) - 1) //nolint:gosec // a power of two
	for at := hash; ; at++ {
		slot := &s.slots[at&mask]
		if slot.round() != s.round {
			*slot = idSlot(hash&^(1<<32-1)) | idSlot(s.round)<<16 | idSlot(len(s.ids))
			s.ids = append(s.ids, id)
			return true
		}
		if uint64(*slot)>>32 == hash>>32 && s.ids[slot.place()] == id {
			return false
		}
	}
}

func (s idSlot) round() uint16 { return uint16(s >> 16) } //nolint:gosec // these bits
func (s idSlot) place() uint16 { return uint16(s) }       //nolint:gosec // these bits

// hash mixes both halves of an id with numbers that no client knows, so that nobody can choose ids that collide.
func (s *idSet) hash(id uuid.UUID) uint64 {
	a := binary.LittleEndian.Uint64(id[:8]) ^ s.seed[0]
	b := binary.LittleEndian.Uint64(id[8:]) ^ s.seed[1]
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// grow doubles the table.
func (s *idSet) grow() {
	ids := s.ids
	*s = idSet{slots: make([]idSlot, 2*len(s.slots)), ids: ids[:0], round: s.round, seed: s.seed}
	for _, id := range ids {
		s.add(id)
	}
}
