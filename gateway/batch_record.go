package gateway

import (
	"encoding/binary"
	"math/bits"
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

// appendRecord writes one record.
func appendRecord(b []byte, r *Record, offset int64) []byte {
	b = binary.AppendVarint(b, int64(recordSize(r, offset)))
	b = append(b, 0)
	b = append(b, 0) // no delta: the batch has one time
	b = binary.AppendVarint(b, offset)
	b = appendBytes(b, r.Key)
	b = appendBytes(b, r.Value)
	b = binary.AppendVarint(b, int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		b = binary.AppendVarint(b, int64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendBytes(b, h.Value)
	}
	return b
}

// recordSize is what follows a record's length, in bytes.
func recordSize(r *Record, offset int64) int {
	n := 1 + 1 + varintSize(offset) + bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		n += varintSize(int64(len(h.Key))) + len(h.Key) + bytesSize(h.Value)
	}
	return n
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
