package delivery

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	// MaxRanges is how many ranges of a partition may be recorded and not yet known to be in ClickHouse.
	MaxRanges = 4
	// Trusted is how long after a range was sealed its first insert may still be under way without anybody having to look
	// whether it is. It is shorter than the group's session: whoever was stopped for so long that the partition may have gone
	// to another looks first.
	Trusted = 10 * time.Second
)

// Range is one recorded range: the run of offsets that goes into ClickHouse as one block.
type Range struct {
	First, Last int64     // both included; first follows the last of the range before
	Hash        uint64    // of the records' values and headers, so that a topic made anew under the old name is another range
	Records     int       // how many records there are from first to last
	SealedAt    time.Time // to the millisecond
	// split says that the block was refused and its rows go in by parts, so that its token says nothing about them.
	Split bool
	// lost is how many of the offsets from first to last were records that nobody could read any more: they were removed from the topic
	// before. Whoever moves the head past the range counts them.
	Lost int64
	// unread is how many of its records were removed after it was recorded, without being in the table. Whoever reads the range again
	// finds that out again, so it is not recorded.
	Unread int64
	Term   int32 // of the leader that appended its last record: its epoch plus one, 0 if unknown; it is not recorded
	// sized says that it is split because it was too large: see settle_size.go.
	Sized bool
}

// Token is what ClickHouse knows the range's block by.
func (s Range) Token(table, topic string, partition int) string {
	return fmt.Sprintf("%s/%s/%d/%d-%d/%016x", table, topic, partition, s.First, s.Last, s.Hash)
}

// Ranges is what is known about a partition's way into ClickHouse. It does no I/O and is not safe for concurrent use.
//
//	… in ClickHouse │ recorded, perhaps in ClickHouse │ not recorded: certainly not inserted by anybody
//	               head                               end
//
// Head and spans travel together in one offset commit: the head as its offset, the spans as its metadata. Only what a commit
// has carried may be inserted, so whoever takes over cuts the same blocks again.
type Ranges struct {
	Head  int64
	Spans []Range // contiguous, oldest first
	in    []bool  // which of them are known to be in ClickHouse

	// seen is the highest offset that the table had when the partition was assigned, -1 for none. Whatever starts at or below it may
	// be in, whatever the metadata says.
	Seen int64

	// empty is up to where there is no record behind the end, if it is beyond that, and emptyLost how many of these offsets were records.
	empty     int64
	emptyLost int64
	emptyTerm int32
	// lost and cuts are what the head has passed and no accepted commit has told yet: lost records, and ends of the topic that were cut off.
	Lost int64
	cuts int

	// origin is which log the head is of. It travels with each commit.
	Origin Origin
}

// Origin tells a partition's log from another one that has the same offsets: of a topic that was made anew, or of a leader that did not
// have the end of what was read.
type Origin struct {
	Topic uuid.UUID
	Term  int32 // of the leader that appended what ends at the head
}

// NewRanges begins at a committed offset with what its metadata says.
func NewRanges(head int64, spans []Range, seen int64) *Ranges {
	return &Ranges{Head: head, Spans: spans, in: make([]bool, len(spans)), Seen: seen}
}

// End is the first offset that is in no range.
func (r *Ranges) End() int64 {
	if n := len(r.Spans); n > 0 {
		return r.Spans[n-1].Last + 1
	}
	return r.Head
}

// Full says that no further range may be recorded until one is in.
func (r *Ranges) Full() bool { return len(r.Spans) >= MaxRanges }

var errRange = errors.New("not the range that comes next")

// Record appends a range. It counts once a commit with metadata of ranges has been acknowledged.
func (r *Ranges) Record(s Range) error {
	if s.First != r.End() || s.Last < s.First || r.Full() {
		return fmt.Errorf("%w: %d-%d after %d with %d recorded", errRange, s.First, s.Last, r.End(), len(r.Spans))
	}
	r.Spans, r.in = append(r.Spans, s), append(r.in, false)
	return nil
}

// Inserted notes that a range is in ClickHouse, and moves the head past what is in without a gap. It says whether the head moved.
func (r *Ranges) Inserted(first int64) bool {
	for i, s := range r.Spans {
		if s.First == first {
			r.in[i] = true
		}
	}
	moved := 0
	for moved < len(r.Spans) && r.in[moved] {
		r.Head = r.Spans[moved].Last + 1
		r.Lost += r.Spans[moved].Lost + r.Spans[moved].Unread
		r.Origin.Term = r.Spans[moved].Term
		moved++
	}
	r.Spans = r.Spans[:copy(r.Spans, r.Spans[moved:])]
	r.in = r.in[:copy(r.in, r.in[moved:])]
	return r.pass() || moved > 0
}

// Skip notes that there is no record from the end up to an offset, and how many of the offsets in between were records that are lost. The
// head passes them when all ranges are in. The term is that of the leader that appended what ends there. skip says whether the head
// moved.
func (r *Ranges) Skip(to, lost int64, of int32) bool {
	r.empty, r.emptyTerm = max(r.empty, to), of
	r.emptyLost += lost
	return r.pass()
}

// pass moves the head over what is empty, if no range lies before it.
func (r *Ranges) pass() bool {
	if len(r.Spans) > 0 || r.empty <= r.Head {
		return false
	}
	r.Head, r.Lost, r.Origin.Term = r.empty, r.Lost+r.emptyLost, r.emptyTerm
	r.empty, r.emptyLost = 0, 0
	return true
}

// Cover returns the range that comes next with what is empty before it, so that ranges stay contiguous.
func (r *Ranges) Cover(s Range) Range {
	if end := r.End(); s.First > end && s.First <= r.empty {
		s.First = end
		s.Lost += r.emptyLost
		r.empty, r.emptyLost = 0, 0
	}
	return s
}

// Told returns what a commit that was just accepted has told for the first time: how many records were lost, and how often the topic's end
// was cut off. Only then may they be counted: before, another owner may yet pass them.
func (r *Ranges) Told() (lost int64, cuts int) {
	lost, cuts = r.Lost, r.cuts
	r.Lost, r.cuts = 0, 0
	return lost, cuts
}

// Splits marks a range whose rows go in by parts, because of its size if sized. It must be committed before the first part is inserted.
func (r *Ranges) Splits(first int64, sized bool) {
	for i := range r.Spans {
		if r.Spans[i].First == first {
			r.Spans[i].Split = true
			r.Spans[i].Sized = r.Spans[i].Sized || sized
		}
	}
}

// Reread notes what reading a recorded range again has shown: how many of its records are neither on the topic any more nor in the table, and
// the term of its last one.
func (r *Ranges) Reread(s Range) {
	for i := range r.Spans {
		if r.Spans[i].First == s.First {
			r.Spans[i].Unread, r.Spans[i].Term = s.Unread, s.Term
		}
	}
}

// Jump goes on at another offset, because the topic ends before the head: it was cut off, or made anew. Nothing may be recorded then.
func (r *Ranges) Jump(to int64) error {
	if len(r.Spans) > 0 {
		return fmt.Errorf("%w: %d ranges are not yet in", errRange, len(r.Spans))
	}
	r.Head, r.Origin.Term = to, 0
	r.cuts++
	r.empty, r.emptyLost = 0, 0
	return nil
}

// Doubtful says that the range's rows may be in ClickHouse without its token being known there any more.
func (r *Ranges) Doubtful(s Range, now time.Time) bool {
	age := now.Sub(s.SealedAt)
	return s.Split || s.First <= r.Seen || age > Trusted || age < -Trusted
}
