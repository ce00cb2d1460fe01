package delivery

// A block that is too large for ClickHouse goes in by smaller pieces, down to a size that it takes. ClickHouse stores a
// token for each place by itself: a place is a table partition of a shard. So a block of several places first goes in
// place by place, each under the block's token. That may be enough for a server that is short of memory: each place
// costs it some 10 MB, however few rows it has.
//
// What is of one place goes in by halves, and those by their halves. A block with a bad row is refused for everybody. A
// block that is too large here and now may yet get in somewhere else: an earlier try is still under way, or another
// owner has more luck. Then rows that went in under the tokens of halves would be there twice. So before a stretch is
// halved its token is used up, with one row for each place. That is a claim. ClickHouse drops whatever comes under that
// token after the claim. What came before it is in the table, which is asked before the halves are inserted.
//
// A claim weakens a token: an answered insert under it does not mean that its rows are in, because a claim may have
// come first. So the range is marked before the first claim, and the owner of a marked range looks for its rows after
// the inserts, until it finds them.
//
// A claim also tests whether the size is at fault: if its few rows are too large as well, the size is not.

// size is what is known about a block that was too large.
type size struct {
	heavy   int64   // so many bytes in one block were too large; 0: none were
	wide    int     // so many places in one block were too many; 0: none were
	places  []int32 // by row: its place
	weights []int64 // by row: its bytes
}

// SizeAction is what to do about a block that is too large.
type SizeAction int

const (
	// SizeMark asks the caller to mark the range with SplitForSize, and to commit the mark, before Next.
	SizeMark SizeAction = iota
	// SizeSmaller says that smaller pieces come next.
	SizeSmaller
	// SizeStuck says that the piece cannot be smaller. The caller waits, and calls Restart.
	SizeStuck
)

// KnowsPlaces says whether SetPlaces was called.
func (s *Settlement) KnowsPlaces() bool { return s.size.places != nil }

// NeedsPlaces says that SetPlaces must be called before the next insert, because the range is split for its size.
func (s *Settlement) NeedsPlaces() bool { return s.split == SplitForSize && !s.KnowsPlaces() }

// SetPlaces takes the place and the bytes of each row. TooLarge needs them.
func (s *Settlement) SetPlaces(places []int32, weights []int64) {
	s.size.places, s.size.weights = places, weights
}

// PieceSize is the bytes and the places of Piece, and whether the piece is a claim, whose size says nothing about a
// batch's.
func (s *Settlement) PieceSize() (bytes int64, places int, claim bool) {
	rows := s.rowsOf(s.pieces[0])
	return s.weight(rows), s.placesOf(rows), s.pieces[0].claim
}

// TooLarge takes the refusal of Piece for its size.
func (s *Settlement) TooLarge() SizeAction {
	p := s.pieces[0]
	rows := s.rowsOf(p)
	switch {
	case len(rows) == 1: // the smallest piece: the size is not at fault, or this row is
		s.size.heavy, s.size.wide = 0, 0
		return SizeStuck
	case p.claim:
		s.pieces = append(s.cutClaim(p), s.pieces[1:]...)
		return SizeSmaller
	}
	if n := s.placesOf(rows); n > 1 {
		s.size.wide = lower(s.size.wide, n)
	} else {
		s.size.heavy = lower(s.size.heavy, s.weight(rows))
	}
	s.uncertain = true
	if s.split != SplitForSize {
		s.split = SplitForSize
		s.Unknown()
		return SizeMark
	}
	return SizeSmaller // see shrink
}

// lower is the lower of two limits, of which 0 is none.
func lower[T int | int64](limit, n T) T {
	if limit == 0 {
		return n
	}
	return min(limit, n)
}

func (s *Settlement) weight(rows []int32) (bytes int64) {
	for _, row := range rows {
		bytes += s.size.weights[row]
	}
	return bytes
}

// placesOf counts the places of some rows.
func (s *Settlement) placesOf(rows []int32) int {
	all := map[int32]bool{}
	for _, row := range rows {
		all[s.size.places[row]] = true
	}
	return len(all)
}

// shrink replaces the first piece by smaller ones, or by a claim, if it is known to be too large.
func (s *Settlement) shrink() {
	for (s.size.heavy > 0 || s.size.wide > 0) && len(s.pieces) > 0 {
		p := s.pieces[0]
		rows := s.rowsOf(p)
		if p.claim || len(rows) == 1 {
			return
		}
		heavy, places := s.size.heavy > 0 && s.weight(rows) >= s.size.heavy, s.placesOf(rows)
		switch {
		case places > 1 && (heavy || s.size.wide > 0 && places >= s.size.wide):
			s.pieces = append(s.cutPlaces(p, rows, places/2), s.pieces[1:]...)
		case places == 1 && heavy:
			s.pieces = s.pieces[1:]
			s.claimFirst(p.stretch, rows)
		default:
			return
		}
	}
}

// cutPlaces cuts a piece in two under its token: the first has the rows of a number of its places.
func (s *Settlement) cutPlaces(p Piece, rows []int32, places int) []Piece {
	one, two := p, p
	one.Rows, two.Rows = nil, nil
	first := map[int32]bool{}
	for _, row := range rows {
		if len(first) < places {
			first[s.size.places[row]] = true
		}
		if first[s.size.places[row]] {
			one.Rows = append(one.Rows, row)
		} else {
			two.Rows = append(two.Rows, row)
		}
	}
	return []Piece{one, two}
}

// claimFirst puts a claim in front: of the missing rows of a stretch, the first in each place that is not accused.
func (s *Settlement) claimFirst(at stretch, missing []int32) {
	taken := map[int32]bool{}
	p := Piece{stretch: at, claim: true, left: missing} // none of them is dead
	p.Token, p.Shared = s.tokenOf(at)
	for _, row := range missing {
		if place := s.size.places[row]; !taken[place] && !s.accused[row] {
			taken[place] = true
			p.Rows = append(p.Rows, row)
		}
	}
	if len(p.Rows) == 0 { // all of them were refused alone, so everybody is refused the whole stretch
		s.halve(at, missing)
		return
	}
	s.pieces = append([]Piece{p}, s.pieces...)
}

// cutClaim cuts a claim in two. Its rows may go in one after the other.
func (s *Settlement) cutClaim(p Piece) []Piece {
	one, two := p, p
	one.Rows, two.Rows = p.Rows[:len(p.Rows)/2], p.Rows[len(p.Rows)/2:]
	return []Piece{one, two}
}

// refuseClaim deals with a claim that was refused for a row. Once the bad row is alone, another row of its place
// replaces it, and refuseClaim returns its number; else -1.
func (s *Settlement) refuseClaim(p Piece) int32 {
	if len(p.Rows) > 1 {
		s.pieces = append(s.cutClaim(p), s.pieces...)
		return -1
	}
	row := p.Rows[0]
	s.reject(row)
	for _, other := range p.left {
		if s.size.places[other] == s.size.places[row] && !s.accused[other] && !s.dead[other] {
			p.Rows = []int32{other}
			s.pieces = append([]Piece{p}, s.pieces...)
			break
		}
	}
	return row
}
