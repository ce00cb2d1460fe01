package delivery

import (
	"fmt"
	"slices"
	"time"
)

// A block may be shared: it has ranges of several partitions, each recorded with the id of the block by a commit of its
// own partition. So a few inserts are enough for many partitions. The table knows the block's token as one: whoever
// inserts rows under it first uses it up, in the places that these rows have, for the rows of the others too. What then
// is missing of a partition goes in under tokens of that partition alone.
//
// One rule makes this safe, whichever of the partitions are together, at one owner or at several: a row goes in under
// the shared token until that was answered and the table was read again, and only then under its partition's own
// tokens. Those are the same for everybody who has the partition. So nobody needs to know the other ranges of a block,
// and commits need not be atomic.
//
// What follows from it:
//
//   - A range that was recorded by an earlier owner is looked for before its insert and after it, on a replicated table
//     too: there the answer to an own token is enough.
//   - An insert that is refused for a row, or is too large, is divided by partitions, all of them under the shared
//     token. A partition that was refused alone is divided further, under its own tokens.
//   - The answer to a first insert counts for the ranges that were in it, see Sends.
//   - The shared token must be remembered until everything that was sent under it has arrived, see LookFrom.
//   - After a commit whose answer was lost, a new range counts only once a later commit was answered that nothing can
//     overtake, see Hold.

// Own is what the tokens of parts of a range in a shared block begin with; empty if the range has a block of its own.
func (r Range) Own(table, topic string, partition int) string {
	if r.Shared == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%d", r.Token(table, topic, partition), partition)
}

// Sends is what was sent under the token of one shared block, by this process. It is not safe for concurrent use.
type Sends struct{ first []int }

// Doubt says whether an insert of the ranges of some partitions may be dropped although their rows are not in: others
// were sent before. Partitions are ascending.
func (s *Sends) Doubt(partitions []int) bool {
	return s.first != nil && !slices.Equal(s.first, partitions)
}

// Sent notes an insert that may have reached the table. Partitions are ascending.
func (s *Sends) Sent(partitions []int) {
	if s.first == nil {
		s.first = slices.Clone(partitions)
	} else if !slices.Equal(s.first, partitions) {
		s.first = []int{} // from now on every insert is in doubt
	}
}

// Doubt says that the token of the next insert may be used up without its rows, so that the table is read after it.
func (s *Settlement) Doubt() { s.uncertain = true }

// Window is how long things take, and how long a table remembers tokens.
type Window struct {
	// Life is how long after it was sent an insert may still arrive.
	Life time.Duration
	// Remembers is for how long a table surely knows a token.
	Remembers time.Duration
}

// LookFrom is the time from which on the table may be asked about a range of a shared block. It lies ahead only if the
// table may forget the token before everything that was sent under it has arrived: then a look must come after all of
// that. assigned is when the partition was, and sent when this owner last sent something under the token and got no
// answer.
func (w Window) LookFrom(one Range, assigned, sent time.Time) time.Time {
	if one.Shared == 0 {
		return time.Time{}
	}
	arrived := assigned.Add(TokenTrust + w.Life) // the owner before may send for as long as it trusts its last look
	if own := sent.Add(w.Life); own.After(arrived) {
		arrived = own
	}
	if arrived.Sub(one.SealedAt) <= w.Remembers {
		return time.Time{}
	}
	return arrived
}

// Hold says from when on the commits of a partition count for new ranges in shared blocks. The zero value is ready.
type Hold struct{ until time.Time }

// LateCommit is how long after it was sent a commit may still be stored.
const LateCommit = 15 * time.Second

// Unanswered takes a commit whose answer is not known. It may be stored later, over what others store until then.
func (h *Hold) Unanswered(now time.Time) { h.until = now.Add(LateCommit) }

// Counts says whether a commit that was sent now records new ranges once it is answered.
func (h *Hold) Counts(sent time.Time) bool { return !sent.Before(h.until) }

// Left is how long it takes until a commit counts.
func (h *Hold) Left(now time.Time) time.Duration { return max(0, h.until.Sub(now)) }
