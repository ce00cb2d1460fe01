package recordbatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"

	"sluice/internal/event"
	"sluice/internal/kafkawire"
)

// Record is a Kafka record as it was read. Its bytes are only good until the next record is read.
type Record struct {
	Offset int64
	Key    []byte
	// Value is nil for a tombstone.
	Value   []byte
	Headers []event.Header
	// Raw is the value, the number of headers and the headers, as the batch has them; nil for a record that was not
	// read.
	Raw []byte

	// Timestamp is in Unix milliseconds: the broker's if LogAppendTime is true, else the producer's.
	Timestamp     int64
	LogAppendTime bool
	// Term is that of the leader that appended the record's batch: its leader epoch plus one, so that 0 means unknown.
	Term int32
	// BaseOffset is the first offset of the record's batch.
	BaseOffset int64
	// PreviousEnd is the offset behind the batch before, or the offset that reading began at, if that is higher. The
	// log has no batch between PreviousEnd and BaseOffset.
	PreviousEnd int64
}

// Content is value and headers as a batch has them: Raw, or the same made anew for a record that was not read.
func (r *Record) Content() []byte {
	if r.Raw != nil {
		return r.Raw
	}
	nullable := func(b, v []byte) []byte {
		if v == nil {
			return binary.AppendVarint(b, -1)
		}
		return append(binary.AppendVarint(b, int64(len(v))), v...)
	}
	out := binary.AppendVarint(nullable(nil, r.Value), int64(len(r.Headers)))
	for _, h := range r.Headers {
		out = nullable(append(binary.AppendVarint(out, int64(len(h.Key))), h.Key...), h.Value)
	}
	return out
}

// Reader reads record batches as they lie in a log. It reuses its memory, so that a record costs no allocation; it
// is not safe for concurrent use. The zero value is ready.
//
// It is written by hand because kafka-go allocates for each record, and because a range's hash needs a record's bytes
// as they are in the batch.
type Reader struct {
	record Record
	names  map[string]string // of headers that event does not know, so that a name is allocated once
	layout headerLayout      // of record's headers
	values []place           // of the values of record's headers
	unpack decompressor

	next int64
	term int32
}

const (
	// uncountedSize is what the length of a batch does not count: offset and length.
	uncountedSize = 8 + 4

	attributeCodec         = 7
	attributeLogAppendTime = 1 << 3
	attributeTransactional = 1 << 4
	attributeControl       = 1 << 5
)

// batchHeader is what a batch says of its records.
type batchHeader struct {
	baseOffset, lastOffset int64
	term                   int32
	attributes             int16
	baseTime, maxTime      int64 // Unix milliseconds
	producer               int64
	count                  int
	packed                 []byte // the records, perhaps compressed
}

// Read yields the records of a set from an offset on, in the order of offsets, without markers and without the records
// of the aborted transactions, whose list it sorts. A batch that is cut off at the end of the set is not read. The last
// pair that it yields may be an error; nothing comes after one. End says how far the set was read.
func (br *Reader) Read(set []byte, from int64, aborted []Aborted) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		br.next, br.term = 0, 0
		br.record.PreviousEnd = from
		transactions := rollbacks(aborted)
		transactions.sort()
		for {
			h, rest, err := nextBatch(set)
			if err != nil {
				yield(nil, err)
			}
			if err != nil || h == nil {
				return
			}
			set = rest
			br.record.BaseOffset, br.record.Term = h.baseOffset, h.term
			gone := len(transactions) > 0 && transactions.cover(h)
			if h.lastOffset >= from && !gone && h.attributes&attributeControl == 0 && !br.batch(h, from, yield) {
				return
			}
			br.next, br.term = h.lastOffset+1, h.term
			br.record.PreviousEnd = max(from, br.next)
		}
	}
}

// End is the offset behind the last batch that was read whole, and the term of the leader that appended that batch; 0
// and 0 if there was none. It is known when the loop over Read has ended, by itself or not.
func (br *Reader) End() (next int64, term int32) { return br.next, br.term }

// nextBatch takes the first batch off a set and checks its checksum. It returns nil if the set holds no whole batch.
func nextBatch(set []byte) (h *batchHeader, rest []byte, err error) {
	if len(set) < HeaderSize {
		return nil, nil, nil
	}
	r := kafkawire.Reader{Rest: set}
	base := r.Int64()
	length := int(r.Int32())
	if length < HeaderSize-uncountedSize || length > len(r.Rest) {
		return nil, nil, nil
	}
	r.Rest, rest = r.Rest[:length], r.Rest[length:]
	epoch := r.Int32()
	if got := r.Int8(); got != magic {
		return nil, nil, fmt.Errorf("the batch at %d has the format of Kafka before 0.11 (magic %d)", base, got)
	}
	if sum := uint32(r.Int32()); crc32.Checksum(r.Rest, castagnoli) != sum {
		return nil, nil, fmt.Errorf("the checksum of the batch at %d is wrong", base)
	}
	h = &batchHeader{
		baseOffset: base, term: epoch + 1, attributes: r.Int16(), lastOffset: base + int64(r.Int32()),
		baseTime: r.Int64(), maxTime: r.Int64(), producer: r.Int64(),
	}
	r.Skip(2 + 4) // the producer's epoch and sequence
	h.count = int(r.Int32())
	h.packed = r.Rest
	return h, rest, nil
}

// batch yields the records of one batch. It returns false if reading must not go on.
func (br *Reader) batch(h *batchHeader, from int64, yield func(*Record, error) bool) bool {
	plain, err := br.unpack.decompress(h.attributes&attributeCodec, h.packed)
	if err == nil {
		var more bool
		if more, err = br.records(h, plain, from, yield); err == nil {
			return more
		}
	}
	yield(nil, fmt.Errorf("the batch at %d: %w", h.baseOffset, err))
	return false
}

var errShortRecord = errors.New("a record ends too early")

func (br *Reader) records(
	h *batchHeader, plain []byte, from int64, yield func(*Record, error) bool,
) (more bool, err error) {
	w := kafkawire.Reader{Rest: plain}
	r := &br.record
	r.LogAppendTime, r.Timestamp = h.attributes&attributeLogAppendTime != 0, h.maxTime
	for range h.count {
		one := kafkawire.Reader{Rest: w.Bytes(int(w.Varint()))}
		one.Skip(1)
		if delta := one.Varint(); !r.LogAppendTime {
			r.Timestamp = h.baseTime + delta
		}
		r.Offset = h.baseOffset + one.Varint()
		r.Key = one.VarintBytes()
		r.Raw = one.Rest
		r.Value = one.VarintBytes()
		br.headers(&one)
		if w.Short || one.Short {
			return false, errShortRecord
		}
		r.Raw = r.Raw[:len(r.Raw)-len(one.Rest)]
		if r.Offset >= from && !yield(r, nil) {
			return false, nil
		}
	}
	return true, nil
}

// headers reads the record's headers.
func (br *Reader) headers(w *kafkawire.Reader) {
	r, all := &br.record, w.Rest
	if br.layout.match(all) {
		br.layout.fill(all, r.Headers)
		w.Rest = nil
		return
	}
	br.layout.size = 0
	r.Headers, br.values = r.Headers[:0], br.values[:0]
	for n := w.Varint(); n > 0 && !w.Short; n-- {
		name := w.Bytes(int(w.Varint()))
		value := w.VarintBytes()
		end := len(all) - len(w.Rest)
		at := place{end - len(value), end}
		if value == nil {
			at.from = end + 1
		}
		br.values = append(br.values, at)
		r.Headers = append(r.Headers, event.Header{Key: br.name(name), Value: value})
	}
	if !w.Short && len(w.Rest) == 0 {
		br.layout.learn(all, br.values)
	}
}

// name makes a string of a header's name, without an allocation for the names that come often.
func (br *Reader) name(b []byte) string {
	if s, ok := event.HeaderName(b); ok {
		return s
	}
	if s, ok := br.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if br.names == nil {
		br.names = map[string]string{}
	}
	if len(br.names) < 64 && len(s) < 64 {
		br.names[s] = s
	}
	return s
}
