package event

import (
	"math"
	"time"

	"github.com/google/uuid"
)

// maxAhead is how far the future an event's time may lie in, after correction.
const maxAhead = time.Hour

// Times gives the columns timestamp, client_timestamp and timestamp_adjusted, in UTC to the millisecond.
//
// The timestamp is the client's plus the correction (our clock minus the client's; 0 if nothing is known about it). If
// the client gave none it is the time in a UUIDv7 id, corrected only if the client made the id, or else receivedAt.
// A time that was not understood, or is more than an hour ahead of receivedAt or more than maxAge behind it, is
// replaced by receivedAt and adjusted is set, whether it came from the timestamp or from the id. maxAge of 0 or less
// is no limit.
//
// client is the timestamp as sent, never corrected, and 1970-01-01 if there was none or it was not understood.
func (ev *Event) Times(id uuid.UUID, receivedAt time.Time, correction, maxAge time.Duration) (timestamp, client time.Time, adjusted bool) {
	received, oldest := receivedAt.UnixMilli(), int64(math.MinInt64)
	if maxAge > 0 {
		oldest = received - milliseconds(maxAge)
	}
	at, sent, adjusted := ev.times(id, received, oldest, milliseconds(correction))
	return utc(at), utc(sent), adjusted
}

// times is Times in milliseconds: with time.Time it takes several times as long.
func (ev *Event) times(id uuid.UUID, receivedAt, oldest, correction int64) (timestamp, client int64, adjusted bool) {
	if ev.Timestamp.state == understood {
		client = ev.Timestamp.ms
	}
	t, known := client, true
	switch fromID, isV7 := millisOfV7(id); {
	case ev.Timestamp.Present():
		known = ev.Timestamp.state == understood
	case !isV7:
		return receivedAt, client, false
	case ev.HasID:
		t = fromID
	default:
		t, correction = fromID, 0
	}
	t += correction
	if !known || t > receivedAt+maxAhead.Milliseconds() || t < oldest || !representable(t) {
		return receivedAt, client, true
	}
	return t, client, false
}

// milliseconds is d rounded down.
func milliseconds(d time.Duration) int64 {
	ms := int64(d / time.Millisecond)
	if d < 0 && d%time.Millisecond != 0 {
		ms--
	}
	return ms
}

func utc(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
