package consumer

// A block that is too large for ClickHouse goes in by halves, and those by theirs, down to a size that it takes. Unlike a block with a bad
// row, which is refused for everybody, one that is too large here and now may get in somewhere else: it is still under way from an
// earlier try, or another owner has more luck. Rows that had gone in by then under the tokens of halves would be there twice.
//
// So before a stretch is halved its token is used up, with one row for each place for which ClickHouse notes a token: a table partition of
// a shard. That is a claim. After it, whatever comes under that token is dropped, wherever it comes from. What came before it is in the
// table, which is asked before the halves are inserted.
//
// A claim makes a token say less: that an insert under it was answered does not mean that its rows are in, they may have come after
// somebody's claim. So the range is marked first, and who owns a marked range looks for its rows after the inserts, until it finds them.
//
// A claim is also the test whether the size is at fault: if its few rows are too large as well, it is not.

// sizeStep is what comes of a block that was too large.
type sizeStep int

const (
	sizeMark   sizeStep = iota // the range must be marked before anything else is done
	sizeHalved                 // smaller pieces come next
	sizeStuck                  // it cannot be smaller: wait, then restart
)

// tooLarge takes the refusal of pieces[0] for its size. places and weights must be known.
func (s *settlement) tooLarge() sizeStep {
	p := s.pieces[0]
	rows := s.rowsOf(p)
	switch {
	case len(rows) == 1: // as small as it gets: size is not what is wrong, or it is this row
		s.tooHeavy = 0
		return sizeStuck
	case p.claim:
		s.pieces = append(s.cutClaim(p), s.pieces[1:]...)
		return sizeHalved
	}
	if weight := s.weight(rows); s.tooHeavy == 0 || weight < s.tooHeavy {
		s.tooHeavy = weight
	}
	s.doubt = true
	if !s.sized {
		s.split, s.sized = true, true
		s.unknown()
		return sizeMark
	}
	return sizeHalved // see shrink
}

func (s *settlement) weight(rows []int32) (bytes int64) {
	for _, row := range rows {
		bytes += s.weights[row]
	}
	return bytes
}

// shrink puts a claim in the place of pieces[0] if that is known to be too large.
func (s *settlement) shrink() {
	for s.tooHeavy > 0 && len(s.pieces) > 0 {
		p := s.pieces[0]
		rows := s.rowsOf(p)
		if p.claim || p.stretch.rows() == 1 || len(rows) == 1 || s.weight(rows) < s.tooHeavy {
			return
		}
		s.pieces = s.pieces[1:]
		s.claimFirst(p.stretch, rows)
	}
}

// claimFirst puts the piece that uses up a stretch's token in front: of its missing rows the first in each place that is not accused.
func (s *settlement) claimFirst(at stretch, missing []int32) {
	taken := map[int32]bool{}
	p := piece{stretch: at, token: s.token(at), claim: true, left: missing} // none of them is dead
	for _, row := range missing {
		if place := s.places[row]; !taken[place] && !s.accused[row] {
			taken[place] = true
			p.rows = append(p.rows, row)
		}
	}
	if len(p.rows) == 0 { // all of them were refused alone: the whole is for everybody
		s.halve(at, missing)
		return
	}
	s.pieces = append([]piece{p}, s.pieces...)
}

// cutClaim cuts a claim in two: its rows may go in one after the other.
func (s *settlement) cutClaim(p piece) []piece {
	one, two := p, p
	one.rows, two.rows = p.rows[:len(p.rows)/2], p.rows[len(p.rows)/2:]
	return []piece{one, two}
}

// refuseClaim deals with a claim that was refused for what is in it: with another row in the place of the bad one, once that is alone, whose
// number it returns.
func (s *settlement) refuseClaim(p piece) int32 {
	if len(p.rows) > 1 {
		s.pieces = append(s.cutClaim(p), s.pieces...)
		return -1
	}
	row := p.rows[0]
	s.suspect(row)
	for _, other := range p.left {
		if s.places[other] == s.places[row] && !s.accused[other] {
			p.rows = []int32{other}
			s.pieces = append([]piece{p}, s.pieces...)
			break
		}
	}
	return row
}
