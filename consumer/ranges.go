package consumer

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

const (
	// maxRanges is how many ranges of a partition may be recorded and not yet known to be in ClickHouse.
	maxRanges = 4
	// trusted is how long after a range was sealed its first insert may still be under way without anybody having to look
	// whether it is. It is shorter than the group's session: whoever was stopped for so long that the partition may have gone
	// to another looks first.
	trusted = 10 * time.Second
)

// span is one recorded range: the run of offsets that goes into ClickHouse as one block.
type span struct {
	first, last int64     // both included; first follows the last of the range before
	hash        uint64    // of the records' values and headers, so that a topic made anew under the old name is another range
	records     int       // how many records there are from first to last
	sealedAt    time.Time // to the millisecond
	// split says that the block was refused and its rows go in by parts, so that its token says nothing about them.
	split bool
	// lost is how many of the offsets from first to last were records that nobody could read any more: they were removed from the topic
	// before. Whoever moves the head past the range counts them.
	lost int64
	// unread is how many of its records were removed after it was recorded, without being in the table. Whoever reads the range again
	// finds that out again, so it is not recorded.
	unread int64
	term   int32 // of the leader that appended its last record: its epoch plus one, 0 if unknown; it is not recorded
	// sized says that it is split because it was too large: see settle_size.go.
	sized bool
}

// token is what ClickHouse knows the range's block by.
func (s span) token(table, topic string, partition int) string {
	return fmt.Sprintf("%s/%s/%d/%d-%d/%016x", table, topic, partition, s.first, s.last, s.hash)
}

// ranges is what is known about a partition's way into ClickHouse. It does no I/O and is not safe for concurrent use.
//
//	… in ClickHouse │ recorded, perhaps in ClickHouse │ not recorded: certainly not inserted by anybody
//	               head                               end
//
// Head and spans travel together in one offset commit: the head as its offset, the spans as its metadata. Only what a commit
// has carried may be inserted, so whoever takes over cuts the same blocks again.
type ranges struct {
	head  int64
	spans []span // contiguous, oldest first
	in    []bool // which of them are known to be in ClickHouse

	// seen is the highest offset that the table had when the partition was assigned, -1 for none. Whatever starts at or below it may
	// be in, whatever the metadata says.
	seen int64

	// empty is up to where there is no record behind the end, if it is beyond that, and emptyLost how many of these offsets were records.
	empty     int64
	emptyLost int64
	emptyTerm int32
	// lost and cuts are what the head has passed and no accepted commit has told yet: lost records, and ends of the topic that were cut off.
	lost int64
	cuts int

	// origin is which log the head is of. It travels with each commit.
	origin origin
}

// origin tells a partition's log from another one that has the same offsets: of a topic that was made anew, or of a leader that did not
// have the end of what was read.
type origin struct {
	topic uuid.UUID
	term  int32 // of the leader that appended what ends at the head
}

// newRanges begins at a committed offset with what its metadata says.
func newRanges(head int64, spans []span, seen int64) *ranges {
	return &ranges{head: head, spans: spans, in: make([]bool, len(spans)), seen: seen}
}

// end is the first offset that is in no range.
func (r *ranges) end() int64 {
	if n := len(r.spans); n > 0 {
		return r.spans[n-1].last + 1
	}
	return r.head
}

// full says that no further range may be recorded until one is in.
func (r *ranges) full() bool { return len(r.spans) >= maxRanges }

var errRange = errors.New("not the range that comes next")

// record appends a range. It counts once a commit with metadata of ranges has been acknowledged.
func (r *ranges) record(s span) error {
	if s.first != r.end() || s.last < s.first || r.full() {
		return fmt.Errorf("%w: %d-%d after %d with %d recorded", errRange, s.first, s.last, r.end(), len(r.spans))
	}
	r.spans, r.in = append(r.spans, s), append(r.in, false)
	return nil
}

// inserted notes that a range is in ClickHouse, and moves the head past what is in without a gap. It says whether the head moved.
func (r *ranges) inserted(first int64) bool {
	for i, s := range r.spans {
		if s.first == first {
			r.in[i] = true
		}
	}
	moved := 0
	for moved < len(r.spans) && r.in[moved] {
		r.head = r.spans[moved].last + 1
		r.lost += r.spans[moved].lost + r.spans[moved].unread
		r.origin.term = r.spans[moved].term
		moved++
	}
	r.spans = r.spans[:copy(r.spans, r.spans[moved:])]
	r.in = r.in[:copy(r.in, r.in[moved:])]
	return r.pass() || moved > 0
}

// skip notes that there is no record from the end up to an offset, and how many of the offsets in between were records that are lost. The
// head passes them when all ranges are in. The term is that of the leader that appended what ends there. skip says whether the head
// moved.
func (r *ranges) skip(to, lost int64, of int32) bool {
	r.empty, r.emptyTerm = max(r.empty, to), of
	r.emptyLost += lost
	return r.pass()
}

// pass moves the head over what is empty, if no range lies before it.
func (r *ranges) pass() bool {
	if len(r.spans) > 0 || r.empty <= r.head {
		return false
	}
	r.head, r.lost, r.origin.term = r.empty, r.lost+r.emptyLost, r.emptyTerm
	r.empty, r.emptyLost = 0, 0
	return true
}

// cover returns the range that comes next with what is empty before it, so that ranges stay contiguous.
func (r *ranges) cover(s span) span {
	if end := r.end(); s.first > end && s.first <= r.empty {
		s.first = end
		s.lost += r.emptyLost
		r.empty, r.emptyLost = 0, 0
	}
	return s
}

// told returns what a commit that was just accepted has told for the first time: how many records were lost, and how often the topic's end
// was cut off. Only then may they be counted: before, another owner may yet pass them.
func (r *ranges) told() (lost int64, cuts int) {
	lost, cuts = r.lost, r.cuts
	r.lost, r.cuts = 0, 0
	return lost, cuts
}

// splits marks a range whose rows go in by parts, because of its size if sized. It must be committed before the first part is inserted.
func (r *ranges) splits(first int64, sized bool) {
	for i := range r.spans {
		if r.spans[i].first == first {
			r.spans[i].split = true
			r.spans[i].sized = r.spans[i].sized || sized
		}
	}
}

// reread notes what reading a recorded range again has shown: how many of its records are neither on the topic any more nor in the table, and
// the term of its last one.
func (r *ranges) reread(s span) {
	for i := range r.spans {
		if r.spans[i].first == s.first {
			r.spans[i].unread, r.spans[i].term = s.unread, s.term
		}
	}
}

// jump goes on at another offset, because the topic ends before the head: it was cut off, or made anew. Nothing may be recorded then.
func (r *ranges) jump(to int64) error {
	if len(r.spans) > 0 {
		return fmt.Errorf("%w: %d ranges are not yet in", errRange, len(r.spans))
	}
	r.head, r.origin.term = to, 0
	r.cuts++
	r.empty, r.emptyLost = 0, 0
	return nil
}

// doubtful says that the range's rows may be in ClickHouse without its token being known there any more.
func (r *ranges) doubtful(s span, now time.Time) bool {
	age := now.Sub(s.sealedAt)
	return s.split || s.first <= r.seen || age > trusted || age < -trusted
}
