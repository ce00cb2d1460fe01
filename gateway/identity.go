package gateway

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

const (
	headerIdempotencyKey  = "Idempotency-Key"
	longestIdempotencyKey = 255 // bytes
)

// idempotencyKey returns the Idempotency-Key header: 1 to 255 visible ASCII characters (0x21 to 0x7E), given once. It
// returns nil if the request has none. The quotes of the IETF draft "The Idempotency-Key HTTP Header Field" are part
// of the key. Other values are refused: their clients would send events twice without knowing. The key aliases the
// request.
func idempotencyKey(ctx *fasthttp.RequestCtx) ([]byte, *problem) {
	values := ctx.Request.Header.PeekAll(headerIdempotencyKey)
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) > 1 || !validIdempotencyKey(values[0]) {
		return nil, refuse(kindMalformed, "Idempotency-Key must be 1 to 255 visible ASCII characters, given once.")
	}
	return values[0], nil
}

func validIdempotencyKey(key []byte) bool {
	if len(key) < 1 || len(key) > longestIdempotencyKey {
		return false
	}
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// derivedID makes the id of an event that came without one from the project, the Idempotency-Key and the event's
// index in the request: a UUIDv8 (RFC 9562, section 5.8) of
//
//	SHA-256("sluice event id v1" NUL project NUL key NUL index)
//
// with the index as eight bytes, most significant first. Neither a project's id nor a key can hold a NUL, so different
// inputs have different bytes. Clients send events again for days and through later versions of this program: the input
// of the hash must never change.
func derivedID(project string, key []byte, index int) uuid.UUID {
	var room [512]byte
	b := append(room[:0], "sluice event id v1\x00"...)
	b = append(b, project...)
	b = append(b, 0)
	b = append(b, key...)
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(index)) // never negative
	sum := sha256.Sum256(b)
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0F | 0x80
	id[8] = id[8]&0x3F | 0x80
	return id
}
