package ingest

import (
	"crypto/sha256"
	"encoding/binary"

	"sluice/internal/event"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

const (
	HeaderIdempotencyKey  = "Idempotency-Key"
	LongestIdempotencyKey = 255 // bytes
)

// idempotencyKey returns the Idempotency-Key header: 1 to 255 visible ASCII characters (0x21 to 0x7E), given once. It
// returns nil if the request has none. The quotes of the IETF draft "The Idempotency-Key HTTP Header Field" are part
// of the key. Other values are refused: their clients would send events twice without knowing. The key aliases the
// request.
func idempotencyKey(ctx *fasthttp.RequestCtx) ([]byte, *Problem) {
	values := ctx.Request.Header.PeekAll(HeaderIdempotencyKey)
	if len(values) == 0 {
		return nil, nil
	}
	if len(values) > 1 || !validIdempotencyKey(values[0]) {
		return nil, Refuse(KindMalformed, "Idempotency-Key must be 1 to 255 visible ASCII characters, given once.")
	}
	return values[0], nil
}

func validIdempotencyKey(key []byte) bool {
	if len(key) < 1 || len(key) > LongestIdempotencyKey {
		return false
	}
	for _, c := range key {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// DerivedID makes the id of an event that came without one from the project, the Idempotency-Key and the event's
// index in the request: a UUIDv8 (RFC 9562, section 5.8) of
//
//	SHA-256("sluice event id v1" NUL project NUL key NUL index)
//
// with the index as eight bytes, most significant first. Neither a project's id nor a key can hold a NUL, so different
// inputs have different bytes. Clients send events again for days and through later versions of this program: the input
// of the hash must never change.
func DerivedID(project string, key []byte, index int) uuid.UUID {
	var room [512]byte
	b := hashed(room[:0], "sluice event id v1", project)
	b = append(b, key...)
	b = append(b, 0)
	return hashID(binary.BigEndian.AppendUint64(b, uint64(index))) // never negative
}

// namedID makes the id of an event that names itself, but not by a UUID: a UUIDv8 of
//
//	SHA-256("sluice named id v1" NUL project NUL name)
func namedID(project string, name event.Text) uuid.UUID {
	var room [512]byte
	return hashID(name.AppendTo(hashed(room[:0], "sluice named id v1", project)))
}

// contentID makes the id of an event from its own bytes: a UUIDv8 of
//
//	SHA-256("sluice content id v1" NUL project NUL index bytes)
//
// with the index as eight bytes, most significant first. Equal events of a request have different ids.
func contentID(project string, raw []byte, index int) uuid.UUID {
	var room [512]byte
	b := hashed(room[:0], "sluice content id v1", project)
	b = binary.BigEndian.AppendUint64(b, uint64(index))
	if len(raw) <= cap(b)-len(b) {
		return hashID(append(b, raw...))
	}
	h := sha256.New()
	h.Write(b)
	h.Write(raw)
	return version8(h.Sum(room[:0]))
}

// bodyHash is what the ids of events without one have in common that a client only ever sends again as a whole request:
//
//	SHA-256("sluice body id v1" NUL project NUL body)
//
// with the body as decompressed. One hash of the body costs half as much as a hash of each log record of 100 bytes.
func bodyHash(project string, body []byte) (sum [sha256.Size]byte) {
	var room [128]byte
	h := sha256.New()
	h.Write(hashed(room[:0], "sluice body id v1", project))
	h.Write(body)
	h.Sum(sum[:0])
	return sum
}

// bodyID makes the id of an event from the hash of its request: a UUIDv8 of the hash, whose last four bytes, most
// significant first, are combined with the event's index by exclusive or. So the events of a request have different ids,
// and 90 other bits are the request's own.
func bodyID(sum *[sha256.Size]byte, index int) uuid.UUID {
	id := version8(sum[:])
	last := id[12:16]
	binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)^uint32(index)) // at most MaxBulkEvents
	return id
}

// hashed appends what every hash begins with.
func hashed(b []byte, purpose, project string) []byte {
	b = append(b, purpose...)
	b = append(b, 0)
	b = append(b, project...)
	return append(b, 0)
}

func hashID(b []byte) uuid.UUID {
	sum := sha256.Sum256(b)
	return version8(sum[:])
}

// version8 makes a UUIDv8 of the first half of a hash.
func version8(sum []byte) uuid.UUID {
	id := uuid.UUID(sum[:16])
	id[6] = id[6]&0x0F | 0x80
	id[8] = id[8]&0x3F | 0x80
	return id
}
