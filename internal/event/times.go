package event

import (
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
	receivedAt = receivedAt.UTC().Truncate(time.Millisecond)
	client = epoch
	if t, ok := ev.Timestamp.Time(); ok {
		client = t
	}
	t, known := client, true
	switch fromID, isV7 := TimeOfV7(id); {
	case ev.Timestamp.Present():
		_, known = ev.Timestamp.Time()
	case !isV7:
		return receivedAt, client, false
	case ev.HasID:
		t = fromID
	default:
		t, correction = fromID, 0
	}
	t = t.Add(correction).Truncate(time.Millisecond)
	if !known || t.After(receivedAt.Add(maxAhead)) || maxAge > 0 && t.Before(receivedAt.Add(-maxAge)) || timestampOf(t.UnixMilli()).state != understood {
		return receivedAt, client, true
	}
	return t, client, false
}
