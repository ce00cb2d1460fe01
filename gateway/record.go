package gateway

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
// A record is encoded once, by the request that brought it, before anybody knows its batch: everything from the key on, which
// is called its tail here. Tails stand one after another, each behind its length as a uvarint, and that is what the queues
// hold. A batch adds the few bytes in front that depend on its place.

// batchOverhead is the most bytes that a record takes in a batch beyond those of its encoded form: attributes and timestamp
// delta, an offset delta of up to three bytes (maxBatchRecords), and one more for the length that counts them.
const batchOverhead = 1 + 1 + 3 + 1

// appendTails writes tails, as they stand in a chunk, as records of a batch, the first of them at the given place in it.
// It returns the place after the last.
func appendTails(b, tails []byte, at int) ([]byte, int) {
	for len(tails) > 0 {
		n, width := binary.Uvarint(tails)
		tail := tails[width : width+int(n)] //nolint:gosec // the publisher wrote it
		tails = tails[width+len(tail):]
		b = binary.AppendVarint(b, int64(1+1+varintSize(int64(at))+len(tail)))
		b = append(b, 0, 0)
		b = binary.AppendVarint(b, int64(at))
		b = append(b, tail...)
		at++
	}
	return b, at
}

// skipTails returns what the first n tails take, in bytes.
func skipTails(tails []byte, n int) int {
	at := 0
	for range n {
		size, width := binary.Uvarint(tails[at:])
		at += width + int(size) //nolint:gosec // the publisher wrote it
	}
	return at
}

// header is the headers of a request's records, encoded, with a gap for the id: they differ in nothing else.
type header struct {
	bytes []byte
	idAt  int // where the id's 36 characters go
}

// set encodes the headers of an envelope, whatever its id.
func (h *header) set(e *event.Envelope, scratch *headerScratch) {
	headers := e.AppendHeaders(scratch.headers[:0], scratch.values[:0])
	h.bytes, h.idAt = appendHeaders(h.bytes[:0], headers)
}

// headerScratch is memory for headers before they are encoded.
type headerScratch struct {
	headers [event.MostHeaders]event.Header
	values  [event.MostHeaderBytes]byte
}

// appendHeaders writes headers as they stand in a record, and says where the value of the event's id is.
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

// tailSize is what a record's tail takes, in bytes.
func tailSize(key, value []byte, h *header) int {
	return bytesSize(key) + bytesSize(value) + len(h.bytes)
}

// appendTail writes one record's tail behind its length, size, which tailSize says.
func appendTail(b []byte, size int, key, value []byte, h *header, id uuid.UUID) []byte {
	b = binary.AppendUvarint(b, uint64(size)) //nolint:gosec // never negative
	b = appendBytes(b, key)
	b = appendBytes(b, value)
	b = append(b, h.bytes...)
	event.PutID(b[len(b)-len(h.bytes)+h.idAt:], id)
	return b
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
	zigzag := uint64(v)<<1 ^ uint64(v>>63) //nolint:gosec // the bits are what counts
	return (bits.Len64(zigzag|1) + 6) / 7
}

// uvarintSize is how many bytes the varint of v takes, 1 to 10.
func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }
