package gateway

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"iter"
)

// slabItems are in one piece of a slab.
const slabItems = 4096

// slab is a list that grows by whole pieces, so that growing neither copies it nor leaves the old copy behind.
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

// slots find the number of an item by its hash: open addressing with linear probing, at most three quarters full.
type slots struct {
	cells []slot
	n     int
}

// slot is a cell: half of an item's hash, which tells nearly all others apart without a look at them, and its number plus one.
type slot struct{ hash, item uint32 }

// first is the cell to begin with.
func (s *slots) first(hash uint64) uint32 { return uint32(hash) & uint32(len(s.cells)-1) } //nolint:gosec // half of it

// next is the cell after this one.
func (s *slots) next(cell uint32) uint32 { return (cell + 1) & uint32(len(s.cells)-1) } //nolint:gosec // below 2^32

// put adds the item with the next number.
func (s *slots) put(hash uint64) {
	if 4*(s.n+1) > 3*len(s.cells) {
		old := s.cells
		s.cells = make([]slot, max(8, 2*len(old)))
		for _, c := range old {
			if c.item != 0 {
				s.fill(c)
			}
		}
	}
	s.n++
	s.fill(slot{uint32(hash), uint32(s.n)}) //nolint:gosec // half of it; below 2^32
}

func (s *slots) fill(c slot) {
	cell := s.first(uint64(c.hash))
	for s.cells[cell].item != 0 {
		cell = s.next(cell)
	}
	s.cells[cell] = c
}

// namePiece is the size of a piece of a textSet's memory, in bytes. A longer name gets a piece of its own.
const (
	namePieceBits = 18
	namePiece     = 1 << namePieceBits
)

var nameSeed = maphash.MakeSeed()

// textSet is a set of texts, numbered in the order in which they were added. A text takes some ten bytes besides its own.
type textSet struct {
	pieces [][]byte // each text behind its length
	at     slab[uint32]
	slots  slots
}

func (n *textSet) len() int { return n.at.n }

// get returns a text by its number. It is not to be changed.
func (n *textSet) get(i uint32) []byte {
	at := *n.at.at(i)
	piece := n.pieces[at>>namePieceBits][at&(namePiece-1):]
	size, width := binary.Uvarint(piece)
	return piece[width : width+int(size)] //nolint:gosec // written by add
}

// find returns the number of a text.
func (n *textSet) find(text []byte) (uint32, bool) {
	return n.look(text, maphash.Bytes(nameSeed, text))
}

func (n *textSet) look(text []byte, hash uint64) (uint32, bool) {
	if n.slots.n == 0 {
		return 0, false
	}
	for cell := n.slots.first(hash); n.slots.cells[cell].item != 0; cell = n.slots.next(cell) {
		c := n.slots.cells[cell]
		if c.hash == uint32(hash) && bytes.Equal(n.get(c.item-1), text) { //nolint:gosec // half of it
			return c.item - 1, true
		}
	}
	return 0, false
}

// add adds a text unless it is there, and returns its number.
func (n *textSet) add(text []byte) (i uint32, added bool) {
	hash := maphash.Bytes(nameSeed, text)
	if i, ok := n.look(text, hash); ok {
		return i, false
	}
	i = uint32(n.at.n) //nolint:gosec // below 2^32
	need := binary.MaxVarintLen32 + len(text)
	last := len(n.pieces) - 1
	if last < 0 || len(n.pieces[last])+need > cap(n.pieces[last]) {
		n.pieces = append(n.pieces, make([]byte, 0, max(need, n.pieceSize())))
		last++
	}
	piece := n.pieces[last]
	n.at.add(uint32(last)<<namePieceBits | uint32(len(piece))) //nolint:gosec // pieces are that small
	n.pieces[last] = append(binary.AppendUvarint(piece, uint64(len(text))), text...)
	n.slots.put(hash)
	return i, true
}

// pieceSize lets small sets be small. The number of a piece is bounded before the shift, which would come to 0 for a large one.
func (n *textSet) pieceSize() int { return min(namePiece, 128<<min(len(n.pieces), namePieceBits)) }

// all yields the texts in the order in which they were added.
func (n *textSet) all() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range n.len() {
			if !yield(n.get(uint32(i))) { //nolint:gosec // below 2^32
				return
			}
		}
	}
}
