package event

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// key is the name of a member of an open object: where it is, and enough of it to tell most names apart at a glance.
type key struct {
	at, size  int32
	glance    uint32
	unescaped bool // at counts in scanner.names instead of scanner.data
}

// pairwiseNames is up to how many names of an object are compared each with each; beyond, they are hashed.
const pairwiseNames = 16

// nameSeed keeps clients from choosing names that collide.
var nameSeed = maphash.MakeSeed()

// name moves over the string at the current position, a member's name, and returns it as it is and unescaped.
func (s *scanner) name() (Text, []byte) {
	at := s.pos + 1
	t := s.text()
	name, k := t.raw, key{at: int32(at)}
	if t.form == escaped {
		k.at, k.unescaped = int32(len(s.names)), true
		s.names = t.AppendTo(s.names)
		name = s.names[k.at:]
	}
	k.size, k.glance = int32(len(name)), glance(name)
	s.keys = append(s.keys, k)
	return t, name
}

// plainName is name, and the colon behind it, where there is nothing to be said about either: no escape, only ASCII, no white
// space. It moves nothing otherwise.
func (s *scanner) plainName(o *object) bool {
	start := s.pos + 1
	end := start + plainRun(s.data[start:])
	if end+1 >= len(s.data) || s.data[end] != '"' || s.data[end+1] != ':' {
		return false
	}
	name := s.data[start:end:end]
	o.key, o.name = Text{raw: name}, name
	s.keys = append(s.keys, key{at: int32(start), size: int32(len(name)), glance: glance(name)})
	s.pos = end + 2
	return true
}

// glance is enough of a name to tell it from most others.
func glance(name []byte) uint32 {
	n := len(name)
	if n == 0 {
		return 0
	}
	return uint32(n)<<24 ^ uint32(name[n-1])<<16 ^ uint32(name[n/2])<<8 ^ uint32(name[0])
}

func (s *scanner) nameOf(k key) []byte {
	from := s.data
	if k.unescaped {
		from = s.names
	}
	return from[k.at : k.at+k.size]
}

// checkUnique checks that an object, whose names are those from first on, names no member twice. Its cost is linear
// in the names' bytes.
func (s *scanner) checkUnique(first int) {
	keys := s.keys[first:]
	if len(keys) > pairwiseNames {
		s.checkUniqueHashed(keys)
		return
	}
	for i := 1; i < len(keys); i++ {
		k := keys[i]
		for _, other := range keys[:i] {
			if k.glance == other.glance && bytes.Equal(s.nameOf(k), s.nameOf(other)) {
				s.failDuplicate(k)
				return
			}
		}
	}
}

// checkUniqueHashed looks every name up in an open-addressing table that is at most half full. An object is checked
// when it ends, so one table serves all.
func (s *scanner) checkUniqueHashed(keys []key) {
	size := 1 << bits.Len(uint(2*len(keys)-1))
	if cap(s.seen) < size {
		s.seen = make([]uint32, size)
	}
	table, mask := s.seen[:size], uint64(size-1)
	clear(table)
	for i, k := range keys {
		name := s.nameOf(k)
		slot := maphash.Bytes(nameSeed, name) & mask
		for ; table[slot] != 0; slot = (slot + 1) & mask {
			other := keys[table[slot]-1]
			if k.glance == other.glance && bytes.Equal(name, s.nameOf(other)) {
				s.failDuplicate(k)
				return
			}
		}
		table[slot] = uint32(i) + 1
	}
}

// failDuplicate blames the second of two equal names. The offset of an unescaped name is not known any more.
func (s *scanner) failDuplicate(k key) {
	if !k.unescaped {
		s.pos = int(k.at) - 1
	}
	s.fault, s.faultAt = faultDuplicate, s.pos
	s.pos = len(s.data)
}
