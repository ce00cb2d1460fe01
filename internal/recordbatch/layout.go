package recordbatch

import (
	"encoding/binary"

	"sluice/internal/event"
)

// headerLayout is what the headers of a record look like except for their values: their number, their names and all
// lengths. Most records of a topic have the layout of the record before, and then the values lie in the same places and
// need no reading.
//
// It stays because it is worth 5 % of BenchmarkProcess/200B: 778 against 815 ns of CPU time a row.
type headerLayout struct {
	size   int // of all headers in a record, in bytes; 0: there is no layout
	words  [maxLayoutBytes / 8]uint64
	mask   [maxLayoutBytes / 8]uint64 // the bytes that are not values
	values [maxLayoutHeaders]place
}

// place is where in the headers a value is.
type place struct{ from, to int }

const (
	maxLayoutBytes   = 256 // a multiple of 8
	maxLayoutHeaders = 8
)

// match says whether the headers in b have the layout.
func (l *headerLayout) match(b []byte) bool {
	if len(b) != l.size || l.size == 0 {
		return false
	}
	var differ uint64
	n := len(b) / 8
	words, mask := l.words[:n], l.mask[:n]
	for i := range words {
		differ |= (binary.LittleEndian.Uint64(b[8*i:]) ^ words[i]) & mask[i]
	}
	if len(b)%8 != 0 { // the last bytes, with some that were compared already
		last := binary.LittleEndian.Uint64(b[len(b)-8:]) >> (64 - 8*(len(b)%8))
		differ |= (last ^ l.words[n]) & l.mask[n]
	}
	return differ == 0
}

// learn takes the layout of the headers in b, whose values lie at some places.
func (l *headerLayout) learn(b []byte, values []place) {
	l.size = 0
	if len(b) < 8 || len(b) > maxLayoutBytes || len(values) > maxLayoutHeaders {
		return
	}
	var text, mask [maxLayoutBytes]byte
	copy(text[:], b)
	for i := range b {
		mask[i] = 0xFF
	}
	for i, at := range values {
		if at.from > at.to { // null, which has no place
			return
		}
		l.values[i] = at
		clear(mask[at.from:at.to])
	}
	for i := range l.words {
		l.words[i], l.mask[i] = binary.LittleEndian.Uint64(text[8*i:]), binary.LittleEndian.Uint64(mask[8*i:])
	}
	l.size = len(b)
}

// fill gives the headers, which have the layout, the values that are in b.
func (l *headerLayout) fill(b []byte, headers []event.Header) {
	for i := range headers {
		at := &l.values[i]
		headers[i].Value = b[at.from:at.to:at.to]
	}
}
