package delivery

import (
	"fmt"
	"slices"
	"time"
)

// Settlement brings one recorded block into ClickHouse and says, step by step, what to do next. It does no I/O.
//
// As long as nothing is doubtful it is one insert of the whole block under the range's token, repeated until it is answered.
// In doubt, because the range is old, or an answer never came, or the block was refused, the table is asked which rows are missing,
// and only those are inserted. ClickHouse keeps a token's entry for each table partition that it wrote, so a part of the block
// under the same token can only add what no insert of it has added, even one that is still under way somewhere. After a doubtful
// insert the table is asked again: on a plain MergeTree a crash can leave a token noted whose rows are not there. Then another
// token, the same for everybody, puts them in. Rows that stay missing after that have merged with another copy of their event. On a
// replicated table, where Keeper notes both at once, another token would only double what a replica that is away has.
//
// A block that is refused because of what is in it is halved until the bad row is alone. Halving goes by the rows of the whole block,
// not of what is missing of it: a part with a bad row is refused for everybody, so all who halve the block, even at the same
// time, end with the same parts and tokens. It is the caller's to say whether a refusal is proof enough, see stepSuspects.
//
// A block that is too large is halved too, see settle_size.go: others may get it in whole, so its token is used up first.
//
// Rows that are still missing after an answer under a token go in under the tokens of the stretch's halves, and a single row under
// further tokens of its own: the same for everybody who finds them missing, whatever the reason.
type Settlement struct {
	base    string
	Offsets []int64 // of the block's rows
	doubt   bool
	split   bool
	Sized   bool // it is split because it is too large, so that others may have used up tokens without its rows
	Sure    bool // a token is noted together with its rows: they need not be looked for after an answer

	looked   time.Time // when it was last known which rows are in: at the seal none, later what a read said
	mustRead bool
	Pieces   []piece // what is left to insert, once it is known
	known    bool    // pieces are known
	Suspects []int32 // rows that were refused alone
	dead     map[int32]bool
	Refused  int  // in a row, since anything was accepted
	Most     bool // nine in ten of the rows are in the table
	finished bool

	used     map[stretch]bool // tokens under which the table takes no more of the rows that were missing
	bad      map[stretch]bool // refused for a row before the range was split for its size: nobody has these in under their tokens
	again    map[int32]int    // by row: how often it was inserted alone, and answered
	accused  map[int32]bool   // rows that were refused alone and are not dead yet
	tooHeavy int64            // so many bytes in one block were too large; 0: none were
	tooWide  int              // so many places in one block were too many; 0: none were
	Places   []int32          // by row: the place that a token is noted for, see claims; known once a block was too large
	Weights  []int64          // by row: bytes; known likewise
}

// stretch is a part of a block, to not included: the block, one of its halves, one of theirs and so on.
type stretch struct{ from, to int32 }

func (s stretch) rows() int32 { return s.to - s.from }

// piece is some of the block's rows, to be inserted as one block: those of a stretch of it that are missing.
type piece struct {
	stretch
	Rows  []int32 // in ascending order; nil: the whole block
	Token string
	// claim says that these rows are only some of the missing ones, chosen to use up the token; left are all of them.
	Claim bool
	left  []int32
}

// step is what has to be done next.
type step int

const (
	StepDone     step = iota
	StepRead          // ask the table for missing rows, then found
	StepInsert        // insert pieces[0], then accepted, unknown or refuse
	StepSuspects      // rows were refused alone: buried for each of them, or restart
	StepHopeless      // nothing of the block was accepted for so long that it need not be the rows: wait, then restart
)

// lastRound is the number of further tokens that are tried for a row that is missing after it was inserted alone.
const lastRound = 3

// hopeless is after how many refusals in a row, with nothing accepted in between, a halved block waits instead.
const hopeless = 64

func NewSettlement(base string, offsets []int64, sealed time.Time, doubt, split, sized bool) *Settlement {
	doubt = doubt || split || sized
	s := &Settlement{base: base, Offsets: offsets, looked: sealed, doubt: doubt, split: split || sized, Sized: sized, mustRead: doubt}
	if split && !sized && len(offsets) > 1 {
		s.isBad(s.whole())
	}
	return s
}

// Next says what to do now. If the clock has moved on too far since it was known what the table has, because this process was
// stopped or what it tried took so long, the table is asked again.
func (s *Settlement) Next(now time.Time) step {
	if age := now.Sub(s.looked); age > Trusted || age < -Trusted {
		s.used = nil // the table may have forgotten them, and others begin with the whole block
		if !s.mustRead {
			s.Unknown()
		}
	}
	switch {
	case s.finished || len(s.Offsets) == 0:
		return StepDone
	case s.mustRead:
		return StepRead
	case !s.known:
		s.Pieces, s.known = []piece{{stretch: s.whole(), Token: s.base}}, true
		return StepInsert
	case s.Refused >= hopeless:
		return StepHopeless
	case len(s.Pieces) > 0:
		s.shrink()
		return StepInsert
	case len(s.Suspects) > 0:
		return StepSuspects
	case s.doubt && (!s.Sure || s.Sized):
		s.mustRead = true
		return StepRead
	default:
		s.finished = true
		return StepDone
	}
}

// Found takes the answer to stepRead, asked at the time given: the rows that are not in the table.
func (s *Settlement) Found(missing []int32, asked time.Time) {
	s.looked = asked
	missing = slices.DeleteFunc(missing, func(i int32) bool { return s.dead[i] || s.again[i] > lastRound })
	s.mustRead = false
	s.Suspects, s.Refused = nil, 0
	s.Most = 10*len(missing) <= len(s.Offsets)
	if len(missing) == 0 {
		s.finished = true
		return
	}
	s.known, s.Pieces = true, nil
	s.add(s.whole(), missing)
}

func (s *Settlement) whole() stretch { return stretch{to: int32(len(s.Offsets))} } //nolint:gosec // rows of one block

// add puts a stretch's missing rows in front of what is left to insert. A stretch whose token is used up goes in by halves, and so does
// one that would be refused again, as it has a row that is dead already, or accused.
func (s *Settlement) add(at stretch, missing []int32) {
	switch {
	case len(missing) == 0:
	case at.rows() > 1 && (s.used[at] || s.bad[at]):
		s.halve(at, missing)
	case at.rows() > 1 && s.hasBad(at):
		s.divide(at, missing)
	default:
		p := piece{stretch: at, Rows: missing, Token: s.token(at)}
		if len(missing) == len(s.Offsets) {
			p.Rows = nil
		}
		s.Pieces = append([]piece{p}, s.Pieces...)
	}
}

// divide has a stretch go in by halves that is refused for a row in it. In a range that is split for its size somebody may have put other
// rows of it under its token, so that is used up first.
func (s *Settlement) divide(at stretch, missing []int32) {
	if s.Sized {
		s.claimFirst(at, missing)
		return
	}
	s.isBad(at)
	s.halve(at, missing)
}

func (s *Settlement) isBad(at stretch) {
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

// token is the same for everybody who inserts a stretch.
func (s *Settlement) token(at stretch) string {
	token := s.base
	if at != s.whole() {
		token += fmt.Sprintf("/%d-%d", s.Offsets[at.from], s.Offsets[at.to-1])
	}
	if n := s.again[at.from]; n > 0 && at.rows() == 1 {
		token += fmt.Sprintf("/again-%d", n)
	}
	return token
}

func (s *Settlement) halve(at stretch, missing []int32) {
	middle := at.from + at.rows()/2
	cut, _ := slices.BinarySearch(missing, middle)
	s.add(stretch{middle, at.to}, missing[cut:])
	s.add(stretch{at.from, middle}, missing[:cut])
}

// Accepted takes a positive answer to the insert of pieces[0].
func (s *Settlement) Accepted() {
	p := s.Pieces[0]
	s.Pieces = s.Pieces[1:]
	s.Refused = 0
	if len(s.Pieces) > 0 && s.Pieces[0].stretch == p.stretch {
		return // the token is not used up in all places yet
	}
	if s.Sure && !s.Sized {
		return // its rows are in, also where the next read cannot see them: the token is good for them, and no other
	}
	if s.used == nil {
		s.used = map[stretch]bool{}
	}
	s.used[p.stretch] = true
	if p.stretch.rows() == 1 {
		if s.again == nil {
			s.again = map[int32]int{}
		}
		s.again[p.from]++
	}
}

// Unknown takes the lack of an answer: the rows may be in, or some, or may yet come.
func (s *Settlement) Unknown() {
	s.doubt, s.mustRead = true, true
	s.Pieces, s.known = nil, false
}

// Refuse takes a refusal of pieces[0] that is the rows' fault. The first one asks for the range to be marked as split before
// anything else is done; mark is true then. If a row was refused alone, row is its number, else negative.
func (s *Settlement) Refuse() (mark bool, row int32) {
	if !s.split {
		s.split = true
		s.Unknown()
		return true, -1
	}
	s.doubt = true
	s.Refused++
	p := s.Pieces[0]
	s.Pieces = s.Pieces[1:]
	switch {
	case p.Claim:
		return false, s.refuseClaim(p)
	case p.stretch.rows() == 1:
		s.suspect(p.from)
		return false, p.from
	default:
		s.divide(p.stretch, s.RowsOf(p))
		return false, -1
	}
}

// RowsOf are a piece's rows.
func (s *Settlement) RowsOf(p piece) []int32 {
	if p.Rows != nil {
		return p.Rows
	}
	rows := make([]int32, len(s.Offsets))
	for i := range rows {
		rows[i] = int32(i) //nolint:gosec // rows of one block
	}
	return rows
}

func (s *Settlement) suspect(row int32) {
	s.Suspects = append(s.Suspects, row)
	if s.accused == nil {
		s.accused = map[int32]bool{}
	}
	s.accused[row] = true
}

// Restart starts over with a look at the table: after waiting, or because suspects are not convicted yet. Rows that were refused alone are
// tried alone again; unless forget, when nothing proves that it was the rows.
func (s *Settlement) Restart(forget bool) {
	s.Unknown()
	s.Suspects, s.Refused = nil, 0
	if forget {
		s.accused = nil
	}
}

// Buried takes note that a row is a dead letter, acknowledged.
func (s *Settlement) Buried(row int32) {
	if s.dead == nil {
		s.dead = map[int32]bool{}
	}
	s.dead[row] = true
	delete(s.accused, row)
	s.Suspects = slices.DeleteFunc(s.Suspects, func(i int32) bool { return i == row })
}
