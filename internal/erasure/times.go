package erasure

import (
	"time"

	"github.com/google/uuid"

	"sluice/internal/event"
)

// clockSlack is how far a client's clock may be ahead without its being noticed, see event.Envelope.Correction.
const clockSlack = 2 * time.Second

// Times are the times of an event as its row has them, in Unix milliseconds.
type Times struct {
	Received  int64
	Timestamp int64
	Client    int64 // as sent; 0: none, or not understood
	ID        int64 // in the identity, to the second; 0: none
	Adjusted  bool  // Timestamp could not be right, and is the time received
	V7        bool  // the event's id tells when it was made
}

// TimesOf returns the times of an event that was decoded from a record.
func TimesOf(ev *event.Event, e *event.Envelope) Times {
	timestamp, client, adjusted := ev.Times(e.ID, e.ReceivedAt, e.Correction(), 0)
	_, v7 := event.TimeOfV7(e.ID)
	return Times{
		Received: e.ReceivedAt.UnixMilli(), Timestamp: timestamp.UnixMilli(), Client: client.UnixMilli(),
		ID: event.IDTime(e.ID, ev.Timestamp).Truncate(time.Second).UnixMilli(), Adjusted: adjusted, V7: v7,
	}
}

// IsV7 reports whether an event's id tells when it was made.
func IsV7(id uuid.UUID) bool {
	_, ok := event.TimeOfV7(id)
	return ok
}

// Bound is how far the erasures of one project or user reach. The zero Bound covers nothing.
type Bound struct {
	at    int64 // of the last erasure, in Unix milliseconds
	doubt int64 // until when events are covered that do not tell when they happened
}

// BoundOf is the bound of one mark.
func BoundOf(m Mark) Bound {
	return Bound{at: m.At.UnixMilli(), doubt: m.At.Add(m.Doubt).UnixMilli()}
}

// and is the bound of two erasures of the same.
func (b Bound) and(o Bound) Bound { return Bound{at: max(b.at, o.at), doubt: max(b.doubt, o.doubt)} }

// Covers reports whether an event with these times is erased. [Mark.Condition] says the same in SQL.
func (b Bound) Covers(t Times) bool {
	if b.at == 0 {
		return false
	}
	at, slack := b.at, clockSlack.Milliseconds()
	switch {
	case t.Received <= at, t.Timestamp <= at+slack:
		return true
	case t.Adjusted && (t.Client > 0 && t.Client <= at+slack || t.ID > 0 && t.ID <= at+slack):
		return true // sent long after it happened
	}
	untold := t.Adjusted || t.Timestamp == t.Received && !t.V7 || t.Timestamp > t.Received+slack
	return untold && t.Received <= b.doubt
}
