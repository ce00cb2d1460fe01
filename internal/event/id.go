package event

import (
	"encoding/binary"
	"sluice/internal/swar"
	"time"

	"github.com/google/uuid"
)

// dashedLen and bareLen are the lengths of a UUID's two accepted forms, in bytes.
const (
	dashedLen = 36
	bareLen   = 32
)

// parseID reads a UUID with or without dashes, in any case, into id; no braces, no "urn:uuid:". If it is none, nobody must
// look at id.
func parseID(b []byte, id *uuid.UUID) bool {
	var w0, w1, w2, w3 uint64 // eight digits each
	switch len(b) {
	case dashedLen:
		if b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
			return false
		}
		w0, w1, w2, w3 = swar.Word(b), swar.Half(b[9:])|swar.Half(b[14:])<<32, swar.Half(b[19:])|swar.Half(b[24:])<<32, swar.Word(b[28:])
	case bareLen:
		w0, w1, w2, w3 = swar.Word(b), swar.Word(b[8:]), swar.Word(b[16:]), swar.Word(b[24:])
	default:
		return false
	}
	binary.LittleEndian.PutUint64(id[:8], swar.FromHex(w0)|swar.FromHex(w1)<<32)
	binary.LittleEndian.PutUint64(id[8:], swar.FromHex(w2)|swar.FromHex(w3)<<32)
	return swar.NotHex(w0)|swar.NotHex(w1)|swar.NotHex(w2)|swar.NotHex(w3) == 0
}

// NewID makes the id of an event that came without one: a UUIDv7 (RFC 9562), increasing within this process.
func NewID() uuid.UUID {
	return uuid.Must(uuid.NewV7()) // fails only where the system has no randomness, and then crypto/rand has ended us
}

// TimeOfV7 returns the time in a UUIDv7, in UTC to the millisecond, and whether id is one. It lies between 1970 and
// the year 10889.
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
	return int64(binary.BigEndian.Uint64(id[:8]) >> 16), true //nolint:gosec // 48 bits
}

// The times that identity takes as they are: from idTimeMin up to but not including idTimeEnd. They bound the number
// of table partitions.
var (
	idTimeMin = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	idTimeEnd = time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
)

// IDTime is the time that an event's identity rests on, in UTC to the millisecond: the time in a UUIDv7 id, or else the
// timestamp as the client wrote it; 1970-01-01 if that is not within 2020 to 2039. A UUIDv7 never falls back to the
// timestamp, so a client that sends it again may write another.
//
// It depends on the event's bytes only, never on a clock of ours: an event sent again days later has the same one.
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

// epoch stands for no time in columns that must have one.
var epoch = time.UnixMilli(0).UTC()
