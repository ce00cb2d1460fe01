package delivery

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	// MaxRanges is how many ranges of a partition may be recorded at a time.
	MaxRanges = 4
	// TokenTrust is how long after a range was sealed its first insert may go out without a look at the table. It is
	// shorter than the group's session: a process that was stopped for so long that another member may have the
	// partition looks first.
	TokenTrust = 10 * time.Second
)

// Split says whether a range goes in as one block. A higher value includes what the lower ones say.
type Split int

const (
	// Whole is a range that goes in as one block, under its token.
	Whole Split = iota
	// SplitForRow is a range whose block was refused for a row. Its rows go in by pieces, so its token says nothing
	// about them.
	SplitForRow
	// SplitForSize is a range whose block was too large, see size.go. Any token of its pieces may be used up without
	// its rows.
	SplitForSize
)

// Range is a run of offsets that goes into ClickHouse as one block.
type Range struct {
	// First and Last are included. First follows the Last of the range before.
	First, Last int64
	// Hash is of the values and headers of the records. It tells the range from one of a topic that was created anew
	// under the same name.
	Hash uint64
	// Records is how many records there are from First to Last.
	Records int
	// SealedAt is when the range was cut, to the millisecond.
	SealedAt time.Time
	// Split says whether the range goes in as one block.
	Split Split
	// Shared is the id of the block that the range shares with ranges of other partitions, see shared.go; 0 if the range
	// has a block of its own.
	Shared uint64
	// Lost is how many of the range's offsets were records that were removed from the topic before anybody read them.
	// They are counted when the head passes the range.
	Lost int64

	// Unread is how many of its records were removed after it was recorded, without being in the table. It is not
	// recorded: whoever reads the range again finds it out again.
	Unread int64
	// Term is that of the leader that appended the range's last record: its leader epoch plus one, 0 if unknown. It is
	// not recorded.
	Term int32
}

// Token is the deduplication token of the range's block.
func (r Range) Token(table, topic string, partition int) string {
	if r.Shared != 0 {
		return fmt.Sprintf("%s/%s/shared/%016x", table, topic, r.Shared)
	}
	return fmt.Sprintf("%s/%s/%d/%d-%d/%016x", table, topic, partition, r.First, r.Last, r.Hash)
}

// Origin tells a partition's log from another one with the same offsets: of a topic that was created anew, or of a
// leader that did not have the end of what was read.
type Origin struct {
	// Topic is the topic's id; zero if it is unknown.
	Topic uuid.UUID
	// Term is that of the leader that appended what ends at the head; 0 if it is unknown.
	Term int32
}

// Ranges is how far a partition is known to be in ClickHouse. It is not safe for concurrent use.
//
//	… in ClickHouse │ recorded, perhaps in ClickHouse │ not recorded: nobody has inserted it
//	               head                               end
//
// Head and ranges travel together in one offset commit: the head as its offset, the ranges as its metadata. Only a
// range that a commit has carried may be inserted.
type Ranges struct {
	head   int64
	ranges []Range // contiguous, oldest first
	in     []bool  // which of them are known to be in ClickHouse

	// seen is the highest offset that the table had when the partition was assigned, -1 for none. A range that starts
	// at or below it may be in, whatever the metadata says.
	seen int64

	// From the end up to empty there is no record, if empty is higher. emptyLost of these offsets were records, and
	// emptyTerm is the term of what ends there.
	empty     int64
	emptyLost int64
	emptyTerm int32

	// lost and cuts are what the head has passed since the last Uncounted: lost records, and ends of the topic that
	// were cut off.
	lost int64
	cuts int

	gaps   []Gap // that the head has passed, oldest first
	origin Origin
}

// NewRanges begins at a committed offset, with the ranges and the origin that its metadata had. seen is the highest
// offset from head on that the table has, -1 for none.
func NewRanges(head int64, recorded []Range, of Origin, seen int64) *Ranges {
	return &Ranges{head: head, ranges: recorded, in: make([]bool, len(recorded)), origin: of, seen: seen}
}

// Head is the offset to commit: everything before it is in ClickHouse, or a dead letter, or no record.
func (r *Ranges) Head() int64 { return r.head }

// End is the first offset that is in no range.
func (r *Ranges) End() int64 {
	if n := len(r.ranges); n > 0 {
		return r.ranges[n-1].Last + 1
	}
	return r.head
}

// Len is how many ranges are recorded.
func (r *Ranges) Len() int { return len(r.ranges) }

// Full says that no range may be recorded until one is in.
func (r *Ranges) Full() bool { return len(r.ranges) >= MaxRanges }

// ErrNotNext says that a range, or a jump, does not follow what is recorded.
var ErrNotNext = errors.New("not the range that comes next")

// Record appends a range. The range may be inserted once a commit with Metadata was acknowledged.
func (r *Ranges) Record(next Range) error {
	if next.First != r.End() || next.Last < next.First || r.Full() {
		return fmt.Errorf("%w: %d-%d after %d with %d recorded", ErrNotNext, next.First, next.Last, r.End(),
			len(r.ranges))
	}
	r.ranges, r.in = append(r.ranges, next), append(r.in, false)
	return nil
}

// Inserted notes that the range that starts at first is in ClickHouse. The head moves past all ranges that are in
// without a gap. Inserted says whether it moved.
func (r *Ranges) Inserted(first int64) bool {
	for i, one := range r.ranges {
		if one.First == first {
			r.in[i] = true
		}
	}
	moved := 0
	for moved < len(r.ranges) && r.in[moved] {
		one := r.ranges[moved]
		r.head, r.origin.Term = one.Last+1, one.Term
		r.AddGap(Gap{First: one.First, Last: one.Last, Lost: one.Lost + one.Unread})
		moved++
	}
	r.ranges = r.ranges[:copy(r.ranges, r.ranges[moved:])]
	r.in = r.in[:copy(r.in, r.in[moved:])]
	return r.passEmpty() || moved > 0
}

// SkipTo notes that there is no record from the end up to an offset. lost of these offsets were records, and term is
// that of the leader that appended what ends there. The head passes them when all ranges are in. SkipTo says whether it
// moved.
func (r *Ranges) SkipTo(to, lost int64, term int32) bool {
	r.empty, r.emptyTerm = max(r.empty, to), term
	r.emptyLost += lost
	return r.passEmpty()
}

func (r *Ranges) passEmpty() bool {
	if len(r.ranges) > 0 || r.empty <= r.head {
		return false
	}
	r.AddGap(Gap{First: r.head, Last: r.empty - 1, Lost: r.emptyLost})
	r.head, r.origin.Term = r.empty, r.emptyTerm
	r.empty, r.emptyLost = 0, 0
	return true
}

// Cover extends the range that comes next over the empty offsets before it, so that ranges stay contiguous.
func (r *Ranges) Cover(next Range) Range {
	if end := r.End(); next.First > end && next.First <= r.empty {
		next.First = end
		next.Lost += r.emptyLost
		r.empty, r.emptyLost = 0, 0
	}
	return next
}

// AddLost counts records that nobody will read and whose offsets the topic does not have any more.
func (r *Ranges) AddLost(n int64) { r.lost += n }

// Uncounted returns what the head has passed since the last call: lost records, and ends of the topic that were cut
// off. Call it after a commit was acknowledged: until then, another owner may pass and count the same.
func (r *Ranges) Uncounted() (lost int64, cuts int) {
	lost, cuts = r.lost, r.cuts
	r.lost, r.cuts = 0, 0
	return lost, cuts
}

// MarkSplit marks a range whose rows go in by pieces. The mark must be committed before the first piece is inserted.
func (r *Ranges) MarkSplit(first int64, why Split) {
	for i := range r.ranges {
		if r.ranges[i].First == first {
			r.ranges[i].Split = max(r.ranges[i].Split, why)
		}
	}
}

// Reread takes what reading a recorded range again has shown: Unread and Term.
func (r *Ranges) Reread(again Range) {
	for i := range r.ranges {
		if r.ranges[i].First == again.First {
			r.ranges[i].Unread, r.ranges[i].Term = again.Unread, again.Term
		}
	}
}

// SetTopic sets the topic's id of the origin.
func (r *Ranges) SetTopic(id uuid.UUID) { r.origin.Topic = id }

// Jump goes on at another offset, because the topic was cut off before the head, or was created anew. Nothing may be
// recorded. seen is the highest offset from there on that the table has.
func (r *Ranges) Jump(to int64, topic uuid.UUID, seen int64) error {
	if len(r.ranges) > 0 {
		return fmt.Errorf("%w: %d ranges are not yet in", ErrNotNext, len(r.ranges))
	}
	r.head, r.origin, r.seen, r.gaps = to, Origin{Topic: topic}, seen, nil
	r.cuts++
	r.empty, r.emptyLost = 0, 0
	return nil
}

// Uncertain says that the rows of a range may be in ClickHouse although its token is not known there any more.
func (r *Ranges) Uncertain(one Range, now time.Time) bool {
	return one.Split != Whole || one.First <= r.seen || untrusted(now.Sub(one.SealedAt))
}

// untrusted says that something is too old to be relied on. A clock may have gone back.
func untrusted(age time.Duration) bool { return age > TokenTrust || age < -TokenTrust }
