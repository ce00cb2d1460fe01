package consumer

import (
	"fmt"
	"slices"
	"time"
)

// settlement brings one recorded block into ClickHouse and says, step by step, what to do next. It does no I/O.
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
type settlement struct {
	base    string
	offsets []int64 // of the block's rows
	doubt   bool
	split   bool
	sized   bool // it is split because it is too large, so that others may have used up tokens without its rows
	sure    bool // a token is noted together with its rows: they need not be looked for after an answer

	looked   time.Time // when it was last known which rows are in: at the seal none, later what a read said
	mustRead bool
	pieces   []piece // what is left to insert, once it is known
	known    bool    // pieces are known
	suspects []int32 // rows that were refused alone
	dead     map[int32]bool
	refused  int  // in a row, since anything was accepted
	most     bool // nine in ten of the rows are in the table
	finished bool

	used     map[stretch]bool // tokens under which the table takes no more of the rows that were missing
	bad      map[stretch]bool // refused for a row before the range was split for its size: nobody has these in under their tokens
	again    map[int32]int    // by row: how often it was inserted alone, and answered
	accused  map[int32]bool   // rows that were refused alone and are not dead yet
	tooHeavy int64            // so many bytes in one block were too large; 0: none were
	tooWide  int              // so many places in one block were too many; 0: none were
	places   []int32          // by row: the place that a token is noted for, see claims; known once a block was too large
	weights  []int64          // by row: bytes; known likewise
}

// stretch is a part of a block, to not included: the block, one of its halves, one of theirs and so on.
type stretch struct{ from, to int32 }

func (s stretch) rows() int32 { return s.to - s.from }

// piece is some of the block's rows, to be inserted as one block: those of a stretch of it that are missing.
type piece struct {
	stretch
	rows  []int32 // in ascending order; nil: the whole block
	token string
	// claim says that these rows are only some of the missing ones, chosen to use up the token; left are all of them.
	claim bool
	left  []int32
}

// step is what has to be done next.
type step int

const (
	stepDone     step = iota
	stepRead          // ask the table for missing rows, then found
	stepInsert        // insert pieces[0], then accepted, unknown or refuse
	stepSuspects      // rows were refused alone: buried for each of them, or restart
	stepHopeless      // nothing of the block was accepted for so long that it need not be the rows: wait, then restart
)

// lastRound is the number of further tokens that are tried for a row that is missing after it was inserted alone.
const lastRound = 3

// hopeless is after how many refusals in a row, with nothing accepted in between, a halved block waits instead.
const hopeless = 64

func newSettlement(base string, offsets []int64, sealed time.Time, doubt, split, sized bool) *settlement {
	doubt = doubt || split || sized
	s := &settlement{base: base, offsets: offsets, looked: sealed, doubt: doubt, split: split || sized, sized: sized, mustRead: doubt}
	if split && !sized && len(offsets) > 1 {
		s.isBad(s.whole())
	}
	return s
}

// next says what to do now. If the clock has moved on too far since it was known what the table has, because this process was
// stopped or what it tried took so long, the table is asked again.
func (s *settlement) next(now time.Time) step {
	if age := now.Sub(s.looked); age > trusted || age < -trusted {
		s.used = nil // the table may have forgotten them, and others begin with the whole block
		if !s.mustRead {
			s.unknown()
		}
	}
	switch {
	case s.finished || len(s.offsets) == 0:
		return stepDone
	case s.mustRead:
		return stepRead
	case !s.known:
		s.pieces, s.known = []piece{{stretch: s.whole(), token: s.base}}, true
		return stepInsert
	case s.refused >= hopeless:
		return stepHopeless
	case len(s.pieces) > 0:
		s.shrink()
		return stepInsert
	case len(s.suspects) > 0:
		return stepSuspects
	case s.doubt && (!s.sure || s.sized):
		s.mustRead = true
		return stepRead
	default:
		s.finished = true
		return stepDone
	}
}

// found takes the answer to stepRead, asked at the time given: the rows that are not in the table.
func (s *settlement) found(missing []int32, asked time.Time) {
	s.looked = asked
	missing = slices.DeleteFunc(missing, func(i int32) bool { return s.dead[i] || s.again[i] > lastRound })
	s.mustRead = false
	s.suspects, s.refused = nil, 0
	s.most = 10*len(missing) <= len(s.offsets)
	if len(missing) == 0 {
		s.finished = true
		return
	}
	s.known, s.pieces = true, nil
	s.add(s.whole(), missing)
}

func (s *settlement) whole() stretch { return stretch{to: int32(len(s.offsets))} } //nolint:gosec // rows of one block

// add puts a stretch's missing rows in front of what is left to insert. A stretch whose token is used up goes in by halves, and so does
// one that would be refused again, as it has a row that is dead already, or accused.
func (s *settlement) add(at stretch, missing []int32) {
	switch {
	case len(missing) == 0:
	case at.rows() > 1 && (s.used[at] || s.bad[at]):
		s.halve(at, missing)
	case at.rows() > 1 && s.hasBad(at):
		s.divide(at, missing)
	default:
		p := piece{stretch: at, rows: missing, token: s.token(at)}
		if len(missing) == len(s.offsets) {
			p.rows = nil
		}
		s.pieces = append([]piece{p}, s.pieces...)
	}
}

// divide has a stretch go in by halves that is refused for a row in it. In a range that is split for its size somebody may have put other
// rows of it under its token, so that is used up first.
func (s *settlement) divide(at stretch, missing []int32) {
	if s.sized {
		s.claimFirst(at, missing)
		return
	}
	s.isBad(at)
	s.halve(at, missing)
}

func (s *settlement) isBad(at stretch) {
	if s.bad == nil {
		s.bad = map[stretch]bool{}
	}
	s.bad[at] = true
}

func (s *settlement) hasBad(at stretch) bool {
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
func (s *settlement) token(at stretch) string {
	token := s.base
	if at != s.whole() {
		token += fmt.Sprintf("/%d-%d", s.offsets[at.from], s.offsets[at.to-1])
	}
	if n := s.again[at.from]; n > 0 && at.rows() == 1 {
		token += fmt.Sprintf("/again-%d", n)
	}
	return token
}

func (s *settlement) halve(at stretch, missing []int32) {
	middle := at.from + at.rows()/2
	cut, _ := slices.BinarySearch(missing, middle)
	s.add(stretch{middle, at.to}, missing[cut:])
	s.add(stretch{at.from, middle}, missing[:cut])
}

// accepted takes a positive answer to the insert of pieces[0].
func (s *settlement) accepted() {
	p := s.pieces[0]
	s.pieces = s.pieces[1:]
	s.refused = 0
	if len(s.pieces) > 0 && s.pieces[0].stretch == p.stretch {
		return // the token is not used up in all places yet
	}
	if s.sure && !s.sized {
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

// unknown takes the lack of an answer: the rows may be in, or some, or may yet come.
func (s *settlement) unknown() {
	s.doubt, s.mustRead = true, true
	s.pieces, s.known = nil, false
}

// refuse takes a refusal of pieces[0] that is the rows' fault. The first one asks for the range to be marked as split before
// anything else is done; mark is true then. If a row was refused alone, row is its number, else negative.
func (s *settlement) refuse() (mark bool, row int32) {
	if !s.split {
		s.split = true
		s.unknown()
		return true, -1
	}
	s.doubt = true
	s.refused++
	p := s.pieces[0]
	s.pieces = s.pieces[1:]
	switch {
	case p.claim:
		return false, s.refuseClaim(p)
	case p.stretch.rows() == 1:
		s.suspect(p.from)
		return false, p.from
	default:
		s.divide(p.stretch, s.rowsOf(p))
		return false, -1
	}
}

// rowsOf are a piece's rows.
func (s *settlement) rowsOf(p piece) []int32 {
	if p.rows != nil {
		return p.rows
	}
	rows := make([]int32, len(s.offsets))
	for i := range rows {
		rows[i] = int32(i) //nolint:gosec // rows of one block
	}
	return rows
}

func (s *settlement) suspect(row int32) {
	s.suspects = append(s.suspects, row)
	if s.accused == nil {
		s.accused = map[int32]bool{}
	}
	s.accused[row] = true
}

// restart starts over with a look at the table: after waiting, or because suspects are not convicted yet. Rows that were refused alone are
// tried alone again; unless forget, when nothing proves that it was the rows.
func (s *settlement) restart(forget bool) {
	s.unknown()
	s.suspects, s.refused = nil, 0
	if forget {
		s.accused = nil
	}
}

// buried takes note that a row is a dead letter, acknowledged.
func (s *settlement) buried(row int32) {
	if s.dead == nil {
		s.dead = map[int32]bool{}
	}
	s.dead[row] = true
	delete(s.accused, row)
	s.suspects = slices.DeleteFunc(s.suspects, func(i int32) bool { return i == row })
}
