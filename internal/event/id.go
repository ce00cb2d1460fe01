package event

import (
	"time"

	"github.com/google/uuid"
)

// dashedLen and bareLen are the lengths of a UUID's two accepted forms, in bytes.
const (
	dashedLen = 36
	bareLen   = 32
)

// parseID reads a UUID with or without dashes, in any case; no braces, no "urn:uuid:".
func parseID(b []byte) (id uuid.UUID, ok bool) {
	var bare [bareLen]byte
	switch len(b) {
	case dashedLen:
		if b[8] != '-' || b[13] != '-' || b[18] != '-' || b[23] != '-' {
			return uuid.Nil, false
		}
		copy(bare[:8], b[:8])
		copy(bare[8:12], b[9:13])
		copy(bare[12:16], b[14:18])
		copy(bare[16:20], b[19:23])
		copy(bare[20:], b[24:36])
	case bareLen:
		copy(bare[:], b)
	default:
		return uuid.Nil, false
	}
	bad := byte(0)
	for i := range id {
		high, low := hexValue[bare[2*i]], hexValue[bare[2*i+1]]
		bad |= high | low
		id[i] = high<<4 | low
	}
	if bad == 0xFF { // a digit's value is at most 0x0F
		return uuid.Nil, false
	}
	return id, true
}

// NewID makes the id of an event that came without one: a UUIDv7 (RFC 9562), increasing within this process.
func NewID() uuid.UUID {
	return uuid.Must(uuid.NewV7()) // fails only where the system has no randomness, and then crypto/rand has ended us
}

// TimeOfV7 returns the time in a UUIDv7, in UTC to the millisecond, and whether id is one. It lies between 1970 and
// the year 10889.
func TimeOfV7(id uuid.UUID) (time.Time, bool) {
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return time.Time{}, false
	}
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	return time.UnixMilli(ms).UTC(), true
}

// The times that identity takes as they are: from idTimeMin up to but not including idTimeEnd. They bound the number
// of table partitions.
var (
	idTimeMin = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	idTimeEnd = time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
)

// IDTime is the time that an event's identity rests on, in UTC to the millisecond: the time in a UUIDv7 id, or else the
// timestamp as the client wrote it; 1970-01-01 if that is not within 2020 to 2039. A UUIDv7 never falls back to the
// timestamp, so a client that sends it again may write another.
//
// It depends on the event's bytes only, never on a clock of ours: an event sent again days later has the same one.
func IDTime(id uuid.UUID, ts Timestamp) time.Time {
	t, ok := TimeOfV7(id)
	if !ok {
		t, ok = ts.Time()
	}
	if !ok || t.Before(idTimeMin) || !t.Before(idTimeEnd) {
		return epoch
	}
	return t
}

// epoch stands for no time in columns that must have one.
var epoch = time.UnixMilli(0).UTC()
