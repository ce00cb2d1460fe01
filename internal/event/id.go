package event

import (
	"encoding/binary"
	"sluice/internal/swar"
	"time"

	"github.com/google/uuid"
)

// dashedLen and bareLen are the lengths of the two accepted forms of a UUID, in bytes.
const (
	dashedLen = 36
	bareLen   = 32
)

// parseID reads a UUID into id, with or without dashes, in upper or lower case. It accepts neither braces nor
// "urn:uuid:". If it returns false, the content of id has no meaning.
func parseID(b []byte, id *uuid.UUID) bool {
	var w0, w1, w2, w3 uint64 // eight digits each
	switch len(b) {
	case dashedLen:
		if b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
			return false
		}
		w0, w3 = swar.Word(b), swar.Word(b[28:])
		w1 = swar.Half(b[9:]) | swar.Half(b[14:])<<32
		w2 = swar.Half(b[19:]) | swar.Half(b[24:])<<32
	case bareLen:
		w0, w1, w2, w3 = swar.Word(b), swar.Word(b[8:]), swar.Word(b[16:]), swar.Word(b[24:])
	default:
		return false
	}
	binary.LittleEndian.PutUint64(id[:8], swar.FromHex(w0)|swar.FromHex(w1)<<32)
	binary.LittleEndian.PutUint64(id[8:], swar.FromHex(w2)|swar.FromHex(w3)<<32)
	return swar.NotHex(w0)|swar.NotHex(w1)|swar.NotHex(w2)|swar.NotHex(w3) == 0
}

// NewID returns an id for an event that has none: a UUIDv7 (RFC 9562) that is larger than those before it in this
// process.
func NewID() uuid.UUID {
	return uuid.Must(uuid.NewV7()) // an error would mean no randomness, and crypto/rand ends the process without it
}

// TimeOfV7 returns the time in a UUIDv7, in UTC to the millisecond, and whether id is a UUIDv7. The time lies between
// the years 1970 and 10889.
func TimeOfV7(id uuid.UUID) (time.Time, bool) {
	ms, ok := millisOfV7(id)
	if !ok {
		return time.Time{}, false
	}
	return utc(ms), true
}

func millisOfV7(id uuid.UUID) (int64, bool) {
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(id[:8]) >> 16), true // 48 bits
}

// IDTime uses times from idTimeMin up to, not including, idTimeEnd. The bounds limit the number of table partitions.
var (
	idTimeMin = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	idTimeEnd = time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// IDTime returns the time that is part of an event's identity, in UTC to the millisecond. It is the time in a UUIDv7
// id. For any other id it is the timestamp as the client wrote it. A time outside 2020 to 2039 becomes 1970-01-01; a
// UUIDv7 never falls back to the timestamp, so a client may change the timestamp when it sends the event again.
//
// IDTime depends on the event's bytes alone and on no clock: an event that is sent again days later has the same
// IDTime.
func IDTime(id uuid.UUID, ts Timestamp) time.Time {
	ms, ok := millisOfV7(id)
	if !ok {
		ms, ok = ts.ms, ts.state == understood
	}
	if !ok || ms < idTimeMin || ms >= idTimeEnd {
		return epoch
	}
	return utc(ms)
}

// epoch is the value of a time column for an event without that time.
var epoch = time.UnixMilli(0).UTC()
