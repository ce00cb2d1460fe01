package delivery

// A block that is too large for ClickHouse goes in by smaller parts, down to a size that it takes. ClickHouse notes a token for each place
// by itself: a table partition of a shard. So a block of several places goes in place by place at first, each under the block's token. For a
// server that is short of memory that may do: a part of its own for each place costs it some 10 MB, however few rows there are.
//
// What is of one place goes in by halves, and those by theirs. Unlike a block with a bad row, which is refused for everybody, one that is
// too large here and now may get in somewhere else: it is still under way from an earlier try, or another owner has more luck. Rows that
// had gone in by then under the tokens of halves would be there twice. So before a stretch is halved its token is used up, with one row for
// each place. That is a claim. After it, whatever comes under that token is dropped, wherever it comes from. What came before it is in the
// table, which is asked before the halves are inserted.
//
// A claim makes a token say less: that an insert under it was answered does not mean that its rows are in, they may have come after
// somebody's claim. So the range is marked first, and who owns a marked range looks for its rows after the inserts, until it finds them.
//
// A claim is also the test whether the size is at fault: if its few rows are too large as well, it is not.

// sizeStep is what comes of a block that was too large.
type sizeStep int

const (
	SizeMark   sizeStep = iota // the range must be marked before anything else is done
	sizeHalved                 // smaller pieces come next
	SizeStuck                  // it cannot be smaller: wait, then restart
)

// TooLarge takes the refusal of pieces[0] for its size. places and weights must be known.
func (s *Settlement) TooLarge() sizeStep {
	p := s.Pieces[0]
	rows := s.RowsOf(p)
	switch {
	case len(rows) == 1: // as small as it gets: size is not what is wrong, or it is this row
		s.tooHeavy, s.tooWide = 0, 0
		return SizeStuck
	case p.Claim:
		s.Pieces = append(s.cutClaim(p), s.Pieces[1:]...)
		return sizeHalved
	}
	if n := s.PlacesOf(rows); n > 1 {
		s.tooWide = lower(s.tooWide, n)
	} else {
		s.tooHeavy = lower(s.tooHeavy, s.Weight(rows))
	}
	s.doubt = true
	if !s.Sized {
		s.split, s.Sized = true, true
		s.Unknown()
		return SizeMark
	}
	return sizeHalved // see shrink
}

// lower is the lower of two limits, of which nought is none.
func lower[T int | int64](limit, n T) T {
	if limit == 0 {
		return n
	}
	return min(limit, n)
}

func (s *Settlement) Weight(rows []int32) (bytes int64) {
	for _, row := range rows {
		bytes += s.Weights[row]
	}
	return bytes
}

// PlacesOf is how many places some rows go to.
func (s *Settlement) PlacesOf(rows []int32) int {
	all := map[int32]bool{}
	for _, row := range rows {
		all[s.Places[row]] = true
	}
	return len(all)
}

// shrink puts smaller pieces, or a claim, in the place of pieces[0] if that is known to be too large.
func (s *Settlement) shrink() {
	for (s.tooHeavy > 0 || s.tooWide > 0) && len(s.Pieces) > 0 {
		p := s.Pieces[0]
		rows := s.RowsOf(p)
		if p.Claim || len(rows) == 1 {
			return
		}
		heavy, places := s.tooHeavy > 0 && s.Weight(rows) >= s.tooHeavy, s.PlacesOf(rows)
		switch {
		case places > 1 && (heavy || s.tooWide > 0 && places >= s.tooWide):
			s.Pieces = append(s.cutPlaces(p, rows, places/2), s.Pieces[1:]...)
		case places == 1 && heavy:
			s.Pieces = s.Pieces[1:]
			s.claimFirst(p.stretch, rows)
		default:
			return
		}
	}
}

// cutPlaces cuts a piece in two, under its token: one has the rows of so many of its places.
func (s *Settlement) cutPlaces(p piece, rows []int32, places int) []piece {
	one, two := p, p
	one.Rows, two.Rows = nil, nil
	first := map[int32]bool{}
	for _, row := range rows {
		if len(first) < places {
			first[s.Places[row]] = true
		}
		if first[s.Places[row]] {
			one.Rows = append(one.Rows, row)
		} else {
			two.Rows = append(two.Rows, row)
		}
	}
	return []piece{one, two}
}

// claimFirst puts the piece that uses up a stretch's token in front: of its missing rows the first in each place that is not accused.
func (s *Settlement) claimFirst(at stretch, missing []int32) {
	taken := map[int32]bool{}
	p := piece{stretch: at, Token: s.token(at), Claim: true, left: missing} // none of them is dead
	for _, row := range missing {
		if place := s.Places[row]; !taken[place] && !s.accused[row] {
			taken[place] = true
			p.Rows = append(p.Rows, row)
		}
	}
	if len(p.Rows) == 0 { // all of them were refused alone: the whole is for everybody
		s.halve(at, missing)
		return
	}
	s.Pieces = append([]piece{p}, s.Pieces...)
}

// cutClaim cuts a claim in two: its rows may go in one after the other.
func (s *Settlement) cutClaim(p piece) []piece {
	one, two := p, p
	one.Rows, two.Rows = p.Rows[:len(p.Rows)/2], p.Rows[len(p.Rows)/2:]
	return []piece{one, two}
}

// refuseClaim deals with a claim that was refused for what is in it: with another row in the place of the bad one, once that is alone, whose
// number it returns.
func (s *Settlement) refuseClaim(p piece) int32 {
	if len(p.Rows) > 1 {
		s.Pieces = append(s.cutClaim(p), s.Pieces...)
		return -1
	}
	row := p.Rows[0]
	s.suspect(row)
	for _, other := range p.left {
		if s.Places[other] == s.Places[row] && !s.accused[other] && !s.dead[other] {
			p.Rows = []int32{other}
			s.Pieces = append([]piece{p}, s.Pieces...)
			break
		}
	}
	return row
}
