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
	unescaped bool // at counts in scanner.names instead of scanner.data; so it does for names that the trie knew
}

// pairwiseNames is up to how many names of an object are compared each with each; beyond, they are hashed.
const pairwiseNames = 16

// nameSeed keeps clients from choosing names that collide.
var nameSeed = maphash.MakeSeed()

// anyName moves over the string at the current position, the object's next name, and the colon behind it, and reports
// whether they are there.
func (s *scanner) anyName(o *object) bool {
	o.nameAt = s.pos + 1
	t := s.text()
	o.nameEnd, o.nameForm = s.pos-1, t.form
	name, at, unescaped := t.raw, o.nameAt, t.form == escaped
	if unescaped {
		at = len(s.names)
		s.names = t.AppendTo(s.names)
		name = s.names[at:]
	}
	s.keys = append(s.keys, keyOf(name, at, unescaped))
	o.field = s.fieldOf(o.kind, name)
	if s.peek() != ':' {
		s.fail(faultColon)
		return false
	}
	s.pos++
	return true
}

// plainName is anyName where there is nothing to be said about either: no escape, only ASCII, no white space. It moves nothing
// otherwise.
func (s *scanner) plainName(o *object) bool {
	start := s.pos + 1
	end := start + plainRun(s.data[start:])
	if end+1 >= len(s.data) || s.data[end] != '"' || s.data[end+1] != ':' {
		return false
	}
	name := s.data[start:end]
	o.nameAt, o.nameEnd, o.nameForm = start, end, verbatim
	s.keys = append(s.keys, keyOf(name, start, false))
	o.field = s.fieldOf(o.kind, name)
	s.pos = end + 2
	return true
}

// keyOf is the key for a name that stands at a place.
func keyOf(name []byte, at int, unescaped bool) key {
	return key{at: int32(at), size: int32(len(name)), glance: glance(name), unescaped: unescaped}
}

// glance is enough of a name to tell it from most others.
func glance(name []byte) uint32 {
	n := len(name)
	if n == 0 {
		return 0
	}
	return uint32(n)<<24 ^ uint32(name[n-1])<<16 ^ uint32(name[n/2])<<8 ^ uint32(name[0])
}

func (s *scanner) bytesOf(k key) []byte {
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
			if k.glance == other.glance && bytes.Equal(s.bytesOf(k), s.bytesOf(other)) {
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
		name := s.bytesOf(k)
		slot := maphash.Bytes(nameSeed, name) & mask
		for ; table[slot] != 0; slot = (slot + 1) & mask {
			other := keys[table[slot]-1]
			if k.glance == other.glance && bytes.Equal(name, s.bytesOf(other)) {
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
