package projects

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"iter"
)

// slabItems is the number of items in one piece of a slab.
const slabItems = 4096

// slab is a list that grows by whole pieces. Growing neither copies the list nor leaves an old copy behind.
type slab[T any] struct {
	pieces [][]T
	n      int
}

func (s *slab[T]) add(v T) {
	at := s.n % slabItems
	if at == 0 {
		var piece []T
		if s.n > 0 {
			piece = make([]T, 0, slabItems)
		}
		s.pieces = append(s.pieces, piece)
	}
	last := &s.pieces[len(s.pieces)-1]
	*last = append(*last, v)
	s.n++
}

func (s *slab[T]) at(i uint32) *T { return &s.pieces[i/slabItems][i%slabItems] }

// hashIndex finds the number of an item by its hash: open addressing with linear probing, at most three quarters full.
type hashIndex struct {
	cells []cell
	n     int
}

// cell has half of an item's hash, which tells nearly all others apart without a look at them, and the item's number
// plus one. An empty cell has item 0.
type cell struct{ hash, item uint32 }

// first returns where the search for a hash begins.
func (x *hashIndex) first(hash uint64) uint32 {
	return uint32(hash) & uint32(len(x.cells)-1) // half of it
}

// next returns the cell after this one.
func (x *hashIndex) next(at uint32) uint32 { return (at + 1) & uint32(len(x.cells)-1) }

// add adds the item with the next number.
func (x *hashIndex) add(hash uint64) {
	if 4*(x.n+1) > 3*len(x.cells) {
		x.resize(x.n + 1)
	}
	x.n++
	x.fill(cell{uint32(hash), uint32(x.n)}) // half of it; below 2^32
}

// cellsFor returns how many cells n items need.
func cellsFor(n int) int {
	cells := 8
	for 3*cells < 4*n {
		cells *= 2
	}
	return cells
}

// resize makes room for n items, at least as many as there are. It takes about 15 ms with a million items.
func (x *hashIndex) resize(n int) {
	old := x.cells
	x.cells = make([]cell, cellsFor(n))
	for _, c := range old {
		if c.item != 0 {
			x.fill(c)
		}
	}
}

// trim gives back room that resize made for more items than came.
func (x *hashIndex) trim() {
	if cellsFor(x.n) < len(x.cells) {
		x.resize(x.n)
	}
}

func (x *hashIndex) fill(c cell) {
	at := x.first(uint64(c.hash))
	for x.cells[at].item != 0 {
		at = x.next(at)
	}
	x.cells[at] = c
}

// textPiece is the size of a piece of a textSet's memory, in bytes. A longer text gets a piece of its own.
const (
	textPieceBits = 18
	textPiece     = 1 << textPieceBits
)

var textSeed = maphash.MakeSeed()

// textSet is a set of texts, numbered from 0 in the order in which they were added. A text costs about ten bytes
// besides its own.
type textSet struct {
	pieces [][]byte // each text behind its length
	at     slab[uint32]
	byText hashIndex
}

func (t *textSet) len() int { return t.at.n }

// text returns the text of that number. The caller must not change it.
func (t *textSet) text(i uint32) []byte {
	at := *t.at.at(i)
	piece := t.pieces[at>>textPieceBits][at&(textPiece-1):]
	size, width := binary.Uvarint(piece)
	return piece[width : width+int(size)] // written by add
}

// find returns the number of a text.
func (t *textSet) find(text []byte) (uint32, bool) {
	return t.search(text, maphash.Bytes(textSeed, text))
}

func (t *textSet) search(text []byte, hash uint64) (uint32, bool) {
	if t.byText.n == 0 {
		return 0, false
	}
	for at := t.byText.first(hash); t.byText.cells[at].item != 0; at = t.byText.next(at) {
		c := t.byText.cells[at]
		if c.hash == uint32(hash) && bytes.Equal(t.text(c.item-1), text) { // half of it
			return c.item - 1, true
		}
	}
	return 0, false
}

// add adds a text unless the set has it, and returns its number.
func (t *textSet) add(text []byte) (i uint32, added bool) {
	hash := maphash.Bytes(textSeed, text)
	if i, ok := t.search(text, hash); ok {
		return i, false
	}
	i = uint32(t.at.n)
	need := binary.MaxVarintLen32 + len(text)
	last := len(t.pieces) - 1
	if last < 0 || len(t.pieces[last])+need > cap(t.pieces[last]) {
		t.pieces = append(t.pieces, make([]byte, 0, max(need, t.pieceSize())))
		last++
	}
	piece := t.pieces[last]
	t.at.add(uint32(last)<<textPieceBits | uint32(len(piece))) // pieces are that small
	t.pieces[last] = append(binary.AppendUvarint(piece, uint64(len(text))), text...)
	t.byText.add(hash)
	return i, true
}

// pieceSize returns the size of the next piece: small sets stay small. The exponent is bounded, because a shift by 64
// or more gives 0.
func (t *textSet) pieceSize() int { return min(textPiece, 128<<min(len(t.pieces), textPieceBits)) }

// all yields the texts in the order in which they were added.
func (t *textSet) all() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range t.len() {
			if !yield(t.text(uint32(i))) {
				return
			}
		}
	}
}
