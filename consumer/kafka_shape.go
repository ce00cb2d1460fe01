package consumer

import (
	"encoding/binary"

	"sluice/internal/event"
)

// shape is what the headers of a record look like but for their values: their number, names and lengths. The records of a topic have
// mostly the same, and one whose headers have the shape of those before needs no reading: the values lie in the same places.
type shape struct {
	size   int // of all headers in a record, in bytes; 0: there is no shape
	words  [longestShape / 8]uint64
	mask   [longestShape / 8]uint64 // the bytes that are not values
	values [mostShaped]place
}

// place is where in a text something is.
type place struct{ from, to int }

const (
	longestShape = 256 // bytes, a multiple of 8
	mostShaped   = 8   // headers
)

// match says whether the headers at the start of b, which go to its end, have the shape.
func (s *shape) match(b []byte) bool {
	if len(b) != s.size || s.size == 0 {
		return false
	}
	var differ uint64
	n := len(b) / 8
	words, mask := s.words[:n], s.mask[:n]
	for i := range words {
		differ |= (binary.LittleEndian.Uint64(b[8*i:]) ^ words[i]) & mask[i]
	}
	if len(b)%8 != 0 { // the last bytes, with some that were looked at already
		last := binary.LittleEndian.Uint64(b[len(b)-8:]) >> (64 - 8*(len(b)%8))
		differ |= (last ^ s.words[n]) & s.mask[n]
	}
	return differ == 0
}

// learn takes the shape of the headers that b is, whose values lie where it is said.
func (s *shape) learn(b []byte, values []place) {
	s.size = 0
	if len(b) < 8 || len(b) > longestShape || len(values) > mostShaped {
		return
	}
	var text, mask [longestShape]byte
	copy(text[:], b)
	for i := range b {
		mask[i] = 0xFF
	}
	for i, at := range values {
		if at.from > at.to { // null, which has no place
			return
		}
		s.values[i] = at
		clear(mask[at.from:at.to])
	}
	for i := range s.words {
		s.words[i], s.mask[i] = binary.LittleEndian.Uint64(text[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])
	}
	s.size = len(b)
}

// fill gives the headers, which had the shape before, the values that are in b.
func (s *shape) fill(b []byte, headers []event.Header) {
	for i := range headers {
		at := &s.values[i]
		headers[i].Value = b[at.from:at.to:at.to]
	}
}
