package gateway

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/google/uuid"
)

// idSet is the ids of one bulk: an open-addressing table, at most half full, that is reused without being cleared. A Go map
// of as many ids costs several times as much, and there is one for each bulk.
type idSet struct {
	slots []idSlot
	round uint32 // slots of other rounds are empty
	used  int
	seed  [2]uint64
}

type idSlot struct {
	id    uuid.UUID
	round uint32
}

// firstIDs is how many slots a set begins with.
const firstIDs = 1 << 8

// reset empties the set.
func (s *idSet) reset() {
	s.used = 0
	s.round++
	if s.round == 0 || len(s.slots) == 0 { // after 2^32 bulks old slots would look new
		*s = idSet{slots: make([]idSlot, max(firstIDs, len(s.slots))), round: 1, seed: [2]uint64{rand.Uint64(), rand.Uint64()}}
	}
}

// add adds an id and says whether it is new. The set was reset before.
func (s *idSet) add(id uuid.UUID) bool {
	if 2*s.used >= len(s.slots) {
		s.grow()
	}
	slot := s.find(id)
	if slot.round == s.round {
		return false
	}
	*slot = idSlot{id, s.round}
	s.used++
	return true
}

// find returns the id's slot, or the empty one where it belongs.
func (s *idSet) find(id uuid.UUID) *idSlot {
	mask := uint64(len(s.slots) - 1) //nolint:gosec // a power of two
	for at := s.hash(id); ; at++ {
		slot := &s.slots[at&mask]
		if slot.round != s.round || slot.id == id {
			return slot
		}
	}
}

// hash mixes both halves of an id with numbers that no client knows, so that nobody can choose ids that collide.
func (s *idSet) hash(id uuid.UUID) uint64 {
	a := binary.LittleEndian.Uint64(id[:8]) ^ s.seed[0]
	b := binary.LittleEndian.Uint64(id[8:]) ^ s.seed[1]
	high, low := bits.Mul64(a, b)
	return high ^ low
}

func (s *idSet) grow() {
	old := s.slots
	s.slots = make([]idSlot, 2*len(old))
	for _, slot := range old {
		if slot.round == s.round {
			*s.find(slot.id) = slot
		}
	}
}
