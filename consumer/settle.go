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
type settlement struct {
	base    string
	offsets []int64 // of the block's rows
	doubt   bool
	split   bool
	sure    bool // a token is noted together with its rows: they need not be looked for after an answer

	looked   time.Time // when it was last known which rows are in: at the seal none, later what a read said
	mustRead bool
	verify   bool // the next read comes after inserts that were answered
	round    int
	pieces   []piece // what is left to insert, once it is known
	known    bool    // pieces are known
	suspects []int32 // rows that were refused alone
	dead     map[int32]bool
	refused  int  // in a row, since anything was accepted
	most     bool // nine in ten of the rows are in the table
	finished bool
}

// piece is some of the block's rows, to be inserted as one block: those of a stretch of it that are missing.
type piece struct {
	from, to int32   // the stretch, to not included
	rows     []int32 // in ascending order; nil: the whole block
	token    string
}

// step is what has to be done next.
type step int

const (
	stepDone     step = iota
	stepRead          // ask the table for missing rows, then found
	stepInsert        // insert pieces[0], then accepted, unknown or refuse
	stepSuspects      // rows were refused alone: buried for each of them, or again
	stepHopeless      // nothing was accepted for so long that it cannot be the rows: wait, then again
)

// lastRound is the number of further tokens that are tried for rows that are missing after an answered insert.
const lastRound = 3

// hopeless is after how many refusals in a row, with nothing accepted in between, a halved block waits instead.
const hopeless = 64

func newSettlement(base string, offsets []int64, sealed time.Time, doubt, split bool) *settlement {
	return &settlement{base: base, offsets: offsets, looked: sealed, doubt: doubt || split, split: split, mustRead: doubt || split}
}

// next says what to do now. If the clock has moved on too far since it was known what the table has, because this process was
// stopped or what it tried took so long, the table is asked again.
func (s *settlement) next(now time.Time) step {
	if age := now.Sub(s.looked); !s.mustRead && (age > trusted || age < -trusted) {
		s.unknown()
	}
	switch {
	case s.finished || len(s.offsets) == 0:
		return stepDone
	case s.mustRead:
		return stepRead
	case !s.known:
		s.pieces, s.known = []piece{{to: int32(len(s.offsets)), token: s.base}}, true //nolint:gosec // rows of one block
		return stepInsert
	case s.refused >= hopeless:
		return stepHopeless
	case len(s.pieces) > 0:
		return stepInsert
	case len(s.suspects) > 0:
		return stepSuspects
	case s.doubt && !s.sure:
		s.mustRead, s.verify = true, true
		return stepRead
	default:
		s.finished = true
		return stepDone
	}
}

// found takes the answer to stepRead, asked at the time given: the rows that are not in the table.
func (s *settlement) found(missing []int32, asked time.Time) {
	s.looked = asked
	missing = slices.DeleteFunc(missing, func(i int32) bool { return s.dead[i] })
	if s.verify {
		s.round++
	}
	s.mustRead, s.verify = false, false
	s.suspects, s.refused = nil, 0
	s.most = 10*len(missing) <= len(s.offsets)
	if len(missing) == 0 || s.round > lastRound {
		s.finished = true
		return
	}
	s.known, s.pieces = true, nil
	s.add(0, int32(len(s.offsets)), missing) //nolint:gosec // rows of one block
}

// add puts a stretch's missing rows in front of what is left to insert. A stretch with a row that is dead already would be refused
// again.
func (s *settlement) add(from, to int32, missing []int32) {
	if len(missing) == 0 {
		return
	}
	for row := range s.dead {
		if from <= row && row < to {
			s.halve(from, to, missing)
			return
		}
	}
	p := piece{from: from, to: to, rows: missing, token: s.base}
	if len(missing) == len(s.offsets) {
		p.rows = nil
	}
	if s.split {
		p.token += fmt.Sprintf("/%d-%d", s.offsets[from], s.offsets[to-1])
	}
	if s.round > 0 {
		p.token += fmt.Sprintf("/again-%d", s.round)
	}
	s.pieces = append([]piece{p}, s.pieces...)
}

func (s *settlement) halve(from, to int32, missing []int32) {
	middle := from + (to-from)/2
	cut, _ := slices.BinarySearch(missing, middle)
	s.add(middle, to, missing[cut:])
	s.add(from, middle, missing[:cut])
}

// accepted takes a positive answer to the insert of pieces[0].
func (s *settlement) accepted() {
	s.pieces = s.pieces[1:]
	s.refused = 0
}

// unknown takes the lack of an answer: the rows may be in, or some, or may yet come.
func (s *settlement) unknown() {
	s.doubt, s.mustRead, s.verify = true, true, false
	s.pieces, s.known = nil, false
}

// refuse takes a refusal of pieces[0] that is the rows' fault. The first one asks for the range to be marked as split before
// anything else is done; mark is true then.
func (s *settlement) refuse() (mark bool) {
	if !s.split {
		s.split = true
		s.unknown()
		return true
	}
	s.doubt = true
	s.refused++
	p := s.pieces[0]
	s.pieces = s.pieces[1:]
	if p.to-p.from == 1 {
		s.suspects = append(s.suspects, p.from)
		return false
	}
	rows := p.rows
	if rows == nil {
		rows = make([]int32, len(s.offsets))
		for i := range rows {
			rows[i] = int32(i) //nolint:gosec // rows of one block
		}
	}
	s.halve(p.from, p.to, rows)
	return false
}

// again starts over with a look at the table: after waiting, or because suspects are not convicted yet.
func (s *settlement) again() {
	s.unknown()
	s.suspects, s.refused = nil, 0
}

// buried takes note that a row is a dead letter, acknowledged.
func (s *settlement) buried(row int32) {
	if s.dead == nil {
		s.dead = map[int32]bool{}
	}
	s.dead[row] = true
	s.suspects = slices.DeleteFunc(s.suspects, func(i int32) bool { return i == row })
}
