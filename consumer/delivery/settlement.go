package delivery

import (
	"slices"
	"time"
)

// Settlement brings the block of one recorded range into ClickHouse. Its caller does what Next says and tells what came
// of it, until Next says ActionDone. It is not safe for concurrent use.
//
// Without doubt it is one insert of the whole block under the range's token, repeated until it is answered.
//
// In doubt it asks the table which rows are missing and inserts only those. There is doubt if the range is old, if an
// answer never came, or if the block was refused. ClickHouse stores a token for each table partition of a block. So a
// part of the block under the same token adds only what no other insert under that token has added, not even one that
// is still under way.
//
// After a uncertain insert the table is asked again: a plain MergeTree that crashes may have stored a token without its
// rows. The rows then go in under another token, which is the same for everybody. Rows that are missing after that have
// merged with another copy of their event. A replicated table stores a token together with its rows: there another
// token could only double the rows that a replica that is away has, so the answer is enough.
//
// A block that is refused for a row in it is halved until that row is alone. It is halved by the rows of the whole
// block, not by the missing ones: everybody is refused the same pieces, so all who halve a block, even at the same
// time, come to the same pieces and tokens. Whether a refusal proves that the row is at fault is for the caller to
// judge, see ActionJudge.
//
// A block that is too large is halved too, see size.go.
//
// Rows that are missing although they were answered under a token go in under the tokens of the halves of that piece,
// and a single row under further tokens of its own. These are the same for everybody, too.
type Settlement struct {
	token        string
	ownToken     string  // what the tokens of parts begin with
	offsets      []int64 // of the block's rows
	tokenDurable bool    // the table stores a token together with its rows
	shared       bool    // other partitions have rows under token

	state     state
	uncertain bool // rows may be in the table although nobody knows
	split     Split
	knownAt   time.Time // when it was last known which rows are in: at the seal none, later as a read said

	pieces      []Piece // what is left to insert, in statePieces
	rejected    []int32 // rows that were refused alone
	dead        map[int32]bool
	refusals    int  // since anything was accepted
	nearlyAllIn bool // nine of ten rows are in the table

	// used are stretches under whose tokens the table takes no more of the rows that were missing.
	used map[stretch]bool
	// bad are stretches that were refused for a row before the range was split for its size. So nobody has rows in
	// under their tokens.
	bad     map[stretch]bool
	again   map[int32]int  // by row: how often it was inserted alone, and answered
	accused map[int32]bool // rows that were refused alone and are not dead letters yet

	size size
}

// state is how much is known about what to insert.
type state int

const (
	stateWhole  state = iota // nothing is in: the whole block goes in
	stateRead                // the table must say which rows are missing
	statePieces              // pieces are what is missing
	stateDone                // all rows are in, or dead letters
)

// Action is what to do next.
type Action int

const (
	// ActionDone says that all rows are in, or dead letters.
	ActionDone Action = iota
	// ActionRead asks the caller to read which rows the table lacks, and to call Found.
	ActionRead
	// ActionInsert asks the caller to insert Piece, and to call Accepted, Unknown, Refused or TooLarge.
	ActionInsert
	// ActionJudge says that the Rejected rows were refused alone and all others are in. The caller calls DeadLettered
	// for each, or Restart.
	ActionJudge
	// ActionAllRefused says that nothing of the block was accepted for so long that the rows need not be at fault. The
	// caller waits, and calls Restart, or makes a dead letter of a Rejected row.
	ActionAllRefused
)

const (
	// lastRound is how many further tokens are tried for a row that is missing after it was inserted alone.
	lastRound = 3
	// allRefusedAfter is how many refusals without an accepted piece between them make ActionAllRefused.
	allRefusedAfter = 64
)

// Block is what a Settlement has to know about a range's block.
type Block struct {
	Token string
	// Offsets are those of the rows, ascending.
	Offsets  []int64
	SealedAt time.Time
	// Uncertain says that rows may be in the table, see Ranges.Uncertain.
	Uncertain bool
	Split     Split
	// TokenDurable says that the table stores a token together with its rows.
	TokenDurable bool
	// Own is what the tokens of parts of the range begin with, if Token is that of a shared block. It must differ
	// between partitions. It is empty if the range has a block of its own.
	Own string
}

// Settle begins the settlement of a block.
func Settle(b Block) *Settlement {
	s := &Settlement{
		token: b.Token, offsets: b.Offsets, tokenDurable: b.TokenDurable, split: b.Split, knownAt: b.SealedAt,
		uncertain: b.Uncertain || b.Split != Whole, ownToken: b.Token, shared: b.Own != "",
	}
	if s.shared {
		s.ownToken = b.Own
	}
	if s.uncertain {
		s.state = stateRead
	}
	if s.split == SplitForRow && len(s.offsets) > 1 {
		s.markBad(s.whole())
	}
	return s
}

// Next says what to do now. If too much time has passed since it was known what the table has, because the process was
// stopped or a try took long, the table is asked again.
func (s *Settlement) Next(now time.Time) Action {
	if untrusted(now.Sub(s.knownAt)) {
		s.used = nil // the table may have forgotten these tokens, and others begin with the whole block
		if s.state == stateWhole || s.state == statePieces {
			s.Unknown()
		}
	}
	switch {
	case s.state == stateDone || len(s.offsets) == 0:
		return ActionDone
	case s.state == stateRead:
		return ActionRead
	case s.state == stateWhole:
		s.pieces, s.state = []Piece{{stretch: s.whole(), Token: s.token, Shared: s.shared}}, statePieces
		return ActionInsert
	case s.refusals >= allRefusedAfter:
		return ActionAllRefused
	case len(s.pieces) > 0:
		s.shrink()
		return ActionInsert
	case len(s.rejected) > 0:
		return ActionJudge
	case s.uncertain && !s.answerIsEnough():
		s.state = stateRead
		return ActionRead
	default:
		s.state = stateDone
		return ActionDone
	}
}

// answerIsEnough says that an insert that was answered need not be looked for in the table. In a range that is split
// for its size any token may be used up without its rows, and so may the token of a shared block.
func (s *Settlement) answerIsEnough() bool {
	return s.tokenDurable && s.split != SplitForSize && !s.shared
}

// TrustedUntil is how long what the table was last known to have is trusted.
func (s *Settlement) TrustedUntil() time.Time { return s.knownAt.Add(TokenTrust) }

// Found takes the rows that the table lacks, and when it was asked. It keeps missing.
func (s *Settlement) Found(missing []int32, asked time.Time) {
	s.knownAt = asked
	missing = slices.DeleteFunc(missing, func(i int32) bool { return s.dead[i] || s.again[i] > lastRound })
	s.rejected, s.refusals = nil, 0
	s.nearlyAllIn = 10*len(missing) <= len(s.offsets)
	if len(missing) == 0 {
		s.state = stateDone
		return
	}
	s.state, s.pieces = statePieces, nil
	s.add(s.whole(), missing)
}

// Accepted takes a positive answer to the insert of Piece.
func (s *Settlement) Accepted() {
	p := s.pieces[0]
	s.pieces = s.pieces[1:]
	s.refusals = 0
	if len(s.pieces) > 0 && s.pieces[0].stretch == p.stretch {
		return // the token is not used up in all places yet
	}
	if s.answerIsEnough() {
		return // the rows are in, also if the next read does not see them: no other token may be used for them
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

// Unknown takes the lack of an answer to an insert: all rows of the piece may be in, or some, or none, or they may yet
// come.
func (s *Settlement) Unknown() {
	s.uncertain, s.state = true, stateRead
	s.pieces = nil
}

// Refused takes a refusal of Piece that is its rows' fault. If mark is true, the range must be marked with SplitForRow,
// and the mark committed, before Next. If a row was refused alone, row is its number, else -1.
func (s *Settlement) Refused() (mark bool, row int32) {
	if s.split == Whole {
		s.split = SplitForRow
		s.Unknown()
		return true, -1
	}
	s.uncertain = true
	s.refusals++
	p := s.pieces[0]
	s.pieces = s.pieces[1:]
	switch {
	case p.claim:
		return false, s.refuseClaim(p)
	case p.stretch.rows() == 1:
		s.reject(p.from)
		return false, p.from
	default:
		s.divide(p.stretch, s.rowsOf(p))
		return false, -1
	}
}

func (s *Settlement) reject(row int32) {
	s.rejected = append(s.rejected, row)
	if s.accused == nil {
		s.accused = map[int32]bool{}
	}
	s.accused[row] = true
}

// Rejected are the rows that were refused alone. They are good until the next call.
func (s *Settlement) Rejected() []int32 { return s.rejected }

// NearlyAllIn says that nine of ten rows were in the table at the last read.
func (s *Settlement) NearlyAllIn() bool { return s.nearlyAllIn }

// DeadLettered takes a row whose dead letter is acknowledged.
func (s *Settlement) DeadLettered(row int32) {
	if s.dead == nil {
		s.dead = map[int32]bool{}
	}
	s.dead[row] = true
	delete(s.accused, row)
	s.rejected = slices.DeleteFunc(s.rejected, func(i int32) bool { return i == row })
	if len(s.rejected) == 0 { // more dead letters need more evidence
		s.refusals = 0
	}
}

// Restart asks the table again and begins again with what it lacks. Rows that were refused alone are tried alone,
// unless forget is true: then nothing proves that the rows were at fault.
func (s *Settlement) Restart(forget bool) {
	s.Unknown()
	s.rejected, s.refusals = nil, 0
	if forget {
		s.accused = nil
	}
}
