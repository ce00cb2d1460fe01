package consumer

import (
	"errors"
	"fmt"
	"time"
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
		moved++
	}
	r.spans = r.spans[:copy(r.spans, r.spans[moved:])]
	r.in = r.in[:copy(r.in, r.in[moved:])]
	return moved > 0
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

// jump goes on at another offset, before or behind, because what was expected is not on the topic. Nothing may be recorded then.
func (r *ranges) jump(to int64) error {
	if len(r.spans) > 0 {
		return fmt.Errorf("%w: %d ranges are not yet in", errRange, len(r.spans))
	}
	r.head = to
	return nil
}

// doubtful says that the range's rows may be in ClickHouse without its token being known there any more.
func (r *ranges) doubtful(s span, now time.Time) bool {
	age := now.Sub(s.sealedAt)
	return s.split || s.first <= r.seen || age > trusted || age < -trusted
}
