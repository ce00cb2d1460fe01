package event

import (
	"math"
	"time"

	"github.com/google/uuid"
)

// maxAhead is how far an event's time may lie in the future, after correction.
const maxAhead = time.Hour

// Times returns the values of the columns timestamp, client_timestamp and timestamp_adjusted, in UTC to the
// millisecond.
//
// timestamp is the client's timestamp plus correction, which is the gateway's clock minus the client's, or 0 if
// unknown. If the client gave no timestamp, at is the time in a UUIDv7 id, corrected only if the client made the id.
// With neither it is receivedAt.
//
// receivedAt also replaces a time that was not understood, is more than an hour ahead of receivedAt, or is more than
// maxAge behind it; adjusted is then true. A maxAge of 0 or less sets no limit.
//
// client is the timestamp as sent, without correction. It is 1970-01-01 if there was none or it was not understood.
func (ev *Event) Times(id uuid.UUID, receivedAt time.Time, correction, maxAge time.Duration) (
	timestamp, client time.Time, adjusted bool,
) {
	received, oldest := receivedAt.UnixMilli(), int64(math.MinInt64)
	if maxAge > 0 {
		oldest = received - milliseconds(maxAge)
	}
	at, sent, adjusted := ev.times(id, received, oldest, milliseconds(correction))
	return utc(at), utc(sent), adjusted
}

// times is Times in Unix milliseconds, which takes a fraction of the time that time.Time does.
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
