package body

import (
	"bytes"
	"errors"

	"github.com/valyala/fasthttp"
)

// Some clients name their project in the body. A body of theirs is read in two steps: Begin reads as much as may name
// the project, and Rest reads on once the project is known.

// PrefixBytes is how much of a body Begin reads, and how much of it Prefix decompresses.
const PrefixBytes = 64 << 10

// Begin reads the first PrefixBytes of the request's body, as the client sent them, into wire, which must be empty. All
// bodies whose project is not known yet share the first half of the budget. Begin returns the errors of Read.
func (r *Reader) Begin(ctx *fasthttp.RequestCtx, wire *Buffer) error {
	if err := r.CheckHead(ctx); err != nil {
		return err
	}
	wire.budget = &r.pool.budget
	wire.nobodys()
	// One byte less leaves the byte that tells whether the body is longer.
	err := r.readWire(ctx, wire, min(PrefixBytes, r.limit+1)-1)
	if errors.Is(err, ErrTooLarge) {
		return nil // there is more to come
	}
	return err
}

// Prefix returns what the bytes that Begin has read hold, decompressed: at most PrefixBytes. It returns less if wire
// ends within the compressed data, or is not valid in the encoding. The bytes belong to wire or to scratch, which must
// be empty. Prefix returns ErrEncoding or ErrNoRoom.
func (r *Reader) Prefix(ctx *fasthttp.RequestCtx, wire, scratch *Buffer) ([]byte, error) {
	coding, err := r.coding(ctx)
	if err != nil {
		return nil, err
	}
	if coding == codingNone {
		coding = sniffed(wire.Bytes())
	}
	if coding == codingNone {
		return wire.Bytes(), nil
	}
	scratch.budget = &r.pool.budget
	scratch.nobodys()
	part := Reader{limit: PrefixBytes, pool: r.pool}
	if err := part.decompress(coding, bytes.NewBuffer(wire.Bytes()), scratch); errors.Is(err, ErrNoRoom) {
		return nil, err
	}
	return scratch.Bytes()[:min(scratch.Len(), PrefixBytes)], nil
}

// Rest reads the rest of a body of which Begin has read the begin, and returns a buffer with the whole body,
// decompressed. A body in gzip of which no header says so is decompressed too. The caller must no longer use wire, and
// releases the buffer that Rest returns. Rest returns the errors of Read; it releases both buffers then.
func (r *Reader) Rest(ctx *fasthttp.RequestCtx, wire *Buffer) (*Buffer, error) {
	coding, err := r.coding(ctx)
	if err == nil {
		wire.budget = &r.pool.budget
		wire.known()
		err = r.readWire(ctx, wire, r.limit)
	}
	if coding == codingNone {
		coding = sniffed(wire.Bytes())
	}
	if err == nil && coding == codingNone {
		return wire, nil
	}
	defer wire.Release()
	if err != nil {
		return nil, err
	}
	dst := GetBuffer()
	dst.budget = &r.pool.budget
	if err := r.decompress(coding, &wire.Buffer, dst); err != nil {
		dst.Release()
		return nil, err
	}
	return dst, nil
}

// sniffed recognises gzip by its first two bytes (RFC 1952), with which no JSON begins.
func sniffed(wire []byte) encoding {
	if len(wire) >= 2 && wire[0] == 0x1F && wire[1] == 0x8B {
		return codingGzip
	}
	return codingNone
}
