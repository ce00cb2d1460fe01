package kafkawire

import "encoding/binary"

// Reader reads from the start of Rest. It copies nothing: what it returns is part of the bytes it was given.
type Reader struct {
	// Rest is what is not read yet.
	Rest []byte
	// Short is true once a field did not fit into Rest. Rest is empty then.
	Short bool
}

// Bytes reads n bytes. They have no spare capacity, so appending to them copies.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.Rest) {
		r.fail()
		return nil
	}
	out := r.Rest[:n:n]
	r.Rest = r.Rest[n:]
	return out
}

// Skip passes over n bytes.
func (r *Reader) Skip(n int) { r.Bytes(n) }

func (r *Reader) fail() { r.Rest, r.Short = nil, true }

// Int8 reads one byte.
func (r *Reader) Int8() int8 {
	if b := r.Bytes(1); b != nil {
		return int8(b[0])
	}
	return 0
}

// Int16 reads two bytes.
func (r *Reader) Int16() int16 {
	if b := r.Bytes(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

// Int32 reads four bytes.
func (r *Reader) Int32() int32 {
	if b := r.Bytes(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

// Int64 reads eight bytes.
func (r *Reader) Int64() int64 {
	if b := r.Bytes(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Varint reads a zig-zag number. Most numbers take one byte, so that case is inlined into the caller.
func (r *Reader) Varint() int64 {
	if len(r.Rest) > 0 && r.Rest[0] < 0x80 {
		v := int64(r.Rest[0])
		r.Rest = r.Rest[1:]
		return v>>1 ^ -(v & 1)
	}
	return r.longVarint()
}

func (r *Reader) longVarint() int64 {
	if len(r.Rest) > 1 && r.Rest[1] < 0x80 { // most lengths of records take two bytes
		v := int64(r.Rest[0]&0x7F) | int64(r.Rest[1])<<7
		r.Rest = r.Rest[2:]
		return v>>1 ^ -(v & 1)
	}
	v, n := binary.Varint(r.Rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// Uvarint reads an unsigned varint.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.Rest)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Rest = r.Rest[n:]
	return v
}

// VarintBytes reads bytes with a zig-zag length before them. Length -1 is null, which VarintBytes returns as nil.
func (r *Reader) VarintBytes() []byte {
	n := r.Varint()
	if n < 0 {
		return nil
	}
	return r.Bytes(int(n))
}

// SkipCompact passes over compact bytes: their length plus one comes first, and 0 is null.
func (r *Reader) SkipCompact() {
	if n := r.Uvarint(); n > 0 {
		r.skipLong(n - 1)
	}
}

// SkipTags passes over tagged fields.
func (r *Reader) SkipTags() {
	for n := r.Uvarint(); n > 0 && !r.Short; n-- {
		r.Uvarint()
		r.skipLong(r.Uvarint())
	}
}

// skipLong is Skip for a length that may not fit an int.
func (r *Reader) skipLong(n uint64) {
	if n > uint64(len(r.Rest)) {
		r.fail()
		return
	}
	r.Rest = r.Rest[n:]
}
