package delivery

import (
	"fmt"
	"slices"
)

// stretch is a part of a block, from row from up to row to, which is not included: the block, one of its halves, one of
// theirs and so on.
type stretch struct{ from, to int32 }

func (s stretch) rows() int32 { return s.to - s.from }

// Piece is some rows of a block that are inserted as one block.
type Piece struct {
	stretch

	// Rows are the numbers of the rows, ascending; nil for the whole block.
	Rows []int32
	// Token is the piece's deduplication token. It is the same for everybody who inserts the stretch.
	Token string
	// Shared says that Token is that of a shared block. The piece may go in together with those of other partitions.
	Shared bool

	// A claim has only some of the missing rows: enough to use up the token. left are all of them.
	claim bool
	left  []int32
}

// Piece is what to insert now, after Next has said ActionInsert.
func (s *Settlement) Piece() Piece { return s.pieces[0] }

// IsWholePiece says that Piece is all rows that are missing of the range, and not a part of them or a claim.
func (s *Settlement) IsWholePiece() bool {
	p := s.pieces[0]
	return p.stretch == s.whole() && !p.claim && len(s.pieces) == 1
}

func (s *Settlement) whole() stretch { return stretch{to: int32(len(s.offsets))} }

// add puts the missing rows of a stretch in front of the pieces. A stretch goes in by halves if its token is used up,
// or if it would be refused because of a row that is dead or accused.
func (s *Settlement) add(at stretch, missing []int32) {
	switch {
	case len(missing) == 0:
	case at.rows() > 1 && (s.used[at] || s.bad[at]):
		s.halve(at, missing)
	case at.rows() > 1 && s.hasBad(at):
		s.divide(at, missing)
	default:
		p := Piece{stretch: at, Rows: missing}
		p.Token, p.Shared = s.tokenOf(at)
		if len(missing) == len(s.offsets) {
			p.Rows = nil
		}
		s.pieces = append([]Piece{p}, s.pieces...)
	}
}

// divide halves a stretch that is refused for a row. In a range that is split for its size another owner may have
// inserted other rows of the stretch under its token, so the token is used up first.
func (s *Settlement) divide(at stretch, missing []int32) {
	if s.split == SplitForSize {
		s.claimFirst(at, missing)
		return
	}
	s.markBad(at)
	s.halve(at, missing)
}

func (s *Settlement) halve(at stretch, missing []int32) {
	middle := at.from + at.rows()/2
	cut, _ := slices.BinarySearch(missing, middle)
	s.add(stretch{middle, at.to}, missing[cut:])
	s.add(stretch{at.from, middle}, missing[:cut])
}

func (s *Settlement) markBad(at stretch) {
	if s.bad == nil {
		s.bad = map[stretch]bool{}
	}
	s.bad[at] = true
}

func (s *Settlement) hasBad(at stretch) bool {
	for _, rows := range [...]map[int32]bool{s.dead, s.accused} {
		for row := range rows {
			if at.from <= row && row < at.to {
				return true
			}
		}
	}
	return false
}

// tokenOf is the token of a stretch, and whether it is that of a shared block.
func (s *Settlement) tokenOf(at stretch) (token string, shared bool) {
	again := 0
	if at.rows() == 1 {
		again = s.again[at.from]
	}
	if at == s.whole() && again == 0 {
		return s.token, s.shared
	}
	token = s.ownToken
	if at != s.whole() {
		token += fmt.Sprintf("/%d-%d", s.offsets[at.from], s.offsets[at.to-1])
	}
	if again > 0 {
		token += fmt.Sprintf("/again-%d", again)
	}
	return token, false
}

// rowsOf lists the rows of a piece.
func (s *Settlement) rowsOf(p Piece) []int32 {
	if p.Rows != nil {
		return p.Rows
	}
	rows := make([]int32, len(s.offsets))
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}
