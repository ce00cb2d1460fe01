package recordbatch

import (
	"encoding/binary"
	"math/bits"

	"github.com/google/uuid"

	"sluice/internal/event"
)

// A record inside a batch (message format version 2):
//
//	length            varint   of all that follows
//	attributes        int8     0
//	timestamp delta   varint   ms after the batch's base timestamp
//	offset delta      varint   place in the batch
//	key length        varint   −1: no key
//	key
//	value length      varint   −1: no value
//	value
//	headers           varint   how many; each: key length varint, key, value length varint (−1: none), value
//
// varint is the zigzag form that encoding/binary writes too.
//
// A record is encoded once, by the request that brings it, before its batch is known: everything from the key on,
// which is the record's tail. A run is tails one after another, each behind its length as a uvarint. A batch adds the
// few bytes in front that depend on the record's place.

const (
	// MaxRecords is how many records a batch may have, so that RecordOverhead holds.
	MaxRecords = 1 << 20
	// RecordOverhead is the most bytes that a record takes in a batch beyond those in its run: attributes, timestamp
	// delta, an offset delta of up to three bytes, and one more for the length that counts them.
	RecordOverhead = 1 + 1 + 3 + 1
)

// appendRun writes the records of a run as records of a batch, the first of them at the given place in it. It returns
// the place after the last.
func appendRun(b, run []byte, at int) ([]byte, int) {
	for len(run) > 0 {
		n, width := binary.Uvarint(run)
		tail := run[width : width+int(n)]
		run = run[width+len(tail):]
		b = binary.AppendVarint(b, int64(1+1+varintSize(int64(at))+len(tail)))
		b = append(b, 0, 0)
		b = binary.AppendVarint(b, int64(at))
		b = append(b, tail...)
		at++
	}
	return b, at
}

// Skip returns how many bytes the first n records of a run take. The run must have that many.
func Skip(run []byte, n int) int {
	at := 0
	for range n {
		size, width := binary.Uvarint(run[at:])
		at += width + int(size)
	}
	return at
}

// Key returns the key of a run's first record; nil: it has none, or the run is damaged. The key aliases the run.
func Key(run []byte) []byte {
	size, width := binary.Uvarint(run)
	if width <= 0 || size > uint64(len(run)-width) {
		return nil
	}
	tail := run[width:][:size]
	n, width := binary.Varint(tail)
	if n < 0 || width <= 0 || n > int64(len(tail)-width) {
		return nil
	}
	return tail[width:][:n]
}

// Headers are the headers of one request's records, encoded once: the records differ in nothing but the event's id. The
// zero value must be Set before it is used. They may be Set again and again, which costs no memory.
type Headers struct {
	bytes []byte
	idAt  int // where the id's 36 characters go

	list   [event.MostHeaders]event.Header
	values [event.MostHeaderBytes]byte
}

// Set encodes the headers of an envelope, whatever its id.
func (h *Headers) Set(e *event.Envelope) {
	h.bytes, h.idAt = appendHeaders(h.bytes[:0], e.AppendHeaders(h.list[:0], h.values[:0]))
}

// Size is how many bytes the headers take in each record.
func (h *Headers) Size() int { return len(h.bytes) }

// appendHeaders writes headers as they stand in a record, and returns where the value of the event's id is.
func appendHeaders(b []byte, headers []event.Header) (out []byte, idAt int) {
	b = binary.AppendVarint(b, int64(len(headers)))
	for i := range headers {
		h := &headers[i]
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
		if h.Key == event.HeaderEventID {
			idAt = len(b) - len(h.Value)
		}
	}
	return b, idAt
}

// RecordSize is how many bytes AppendRecord appends, in two parts: the record's tail, and its length in front.
func RecordSize(key, value []byte, h *Headers) (tail, total int) {
	tail = bytesSize(key) + bytesSize(value) + len(h.bytes)
	return tail, uvarintSize(uint64(tail)) + tail
}

// AppendRecord appends a record to a run. A nil key or value is none, which is not the same as empty. The headers must
// have been Set; id takes the place of the envelope's. tail is what RecordSize returned for the record.
func AppendRecord(run []byte, tail int, key, value []byte, h *Headers, id uuid.UUID) []byte {
	run = binary.AppendUvarint(run, uint64(tail))
	run = appendBytes(run, key)
	run = appendBytes(run, value)
	run = append(run, h.bytes...)
	event.PutID(run[len(run)-len(h.bytes)+h.idAt:], id)
	return run
}

// appendBytes writes length and bytes; nil is not the same as empty.
func appendBytes(b, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(b, -1)
	}
	b = binary.AppendVarint(b, int64(len(v)))
	return append(b, v...)
}

func bytesSize(v []byte) int {
	if v == nil {
		return varintSize(-1)
	}
	return varintSize(int64(len(v))) + len(v)
}

// varintSize is how many bytes the zigzag varint of v takes, 1 to 10.
func varintSize(v int64) int {
	zigzag := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(zigzag|1) + 6) / 7
}

// uvarintSize is how many bytes the varint of v takes, 1 to 10.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
