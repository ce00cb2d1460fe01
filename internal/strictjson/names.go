package strictjson

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// key locates the name of a member of an open object and holds enough of the name to tell it from most others.
type key struct {
	at, size  int32
	glance    uint32
	unescaped bool // at is an offset into Scanner.names, not Scanner.Data; true for names from the trie too
}

// pairwiseNames is the largest number of names in an object that are compared pair by pair. More names are hashed.
const pairwiseNames = 16

// nameSeed is random, so a client cannot choose names that collide.
var nameSeed = maphash.MakeSeed()

// anyName moves over the object's next name and the colon behind it, and reports whether both are well-formed.
func (s *Scanner) anyName(o *Object) bool {
	o.nameAt = s.Pos + 1
	t := s.Text()
	o.nameEnd, o.nameForm = s.Pos-1, t.form
	name, at, unescaped := t.raw, o.nameAt, t.form == escaped
	if unescaped {
		at = len(s.names)
		s.names = t.AppendTo(s.names)
		name = s.names[at:]
	}
	s.keys = append(s.keys, keyOf(name, at, unescaped))
	o.Field = s.fieldOf(o.kind, name)
	if s.Peek() != ':' {
		s.Fail(faultColon)
		return false
	}
	s.Pos++
	return true
}

// plainName is anyName for a name in ASCII without escapes and a colon right behind it. In any other case it returns
// false and moves nothing.
func (s *Scanner) plainName(o *Object) bool {
	start := s.Pos + 1
	end := start + plainRun(s.Data[start:])
	if end+1 >= len(s.Data) || s.Data[end] != '"' || s.Data[end+1] != ':' {
		return false
	}
	name := s.Data[start:end]
	o.nameAt, o.nameEnd, o.nameForm = start, end, verbatim
	s.keys = append(s.keys, keyOf(name, start, false))
	o.Field = s.fieldOf(o.kind, name)
	s.Pos = end + 2
	return true
}

// keyOf returns the key of a name at an offset.
func keyOf(name []byte, at int, unescaped bool) key {
	return key{at: int32(at), size: int32(len(name)), glance: glance(name), unescaped: unescaped}
}

// glance packs the length and three bytes of a name, which tell it from most other names.
func glance(name []byte) uint32 {
	n := len(name)
	if n == 0 {
		return 0
	}
	return uint32(n)<<24 ^ uint32(name[n-1])<<16 ^ uint32(name[n/2])<<8 ^ uint32(name[0])
}

func (s *Scanner) bytesOf(k key) []byte {
	from := s.Data
	if k.unescaped {
		from = s.names
	}
	return from[k.at : k.at+k.size]
}

// checkUnique checks that an object names no member twice. The object's names are s.keys[first:]. The cost is linear in
// the bytes of the names.
func (s *Scanner) checkUnique(first int) {
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

// checkUniqueHashed looks every name up in a hash table with open addressing that is at most half full. Objects are
// checked one at a time, when they end, so one table serves all of them.
func (s *Scanner) checkUniqueHashed(keys []key) {
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

// failDuplicate reports the second of two equal names. The offset of an unescaped name is no longer known; the fault is
// then reported at the current position.
func (s *Scanner) failDuplicate(k key) {
	if !k.unescaped {
		s.Pos = int(k.at) - 1
	}
	s.Fault, s.FaultAt = faultDuplicate, s.Pos
	s.Pos = len(s.Data)
}
