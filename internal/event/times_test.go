package event

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/uuid"
)

const day = 24 * time.Hour

// idAt is a UUIDv7 of a time.
func idAt(at time.Time) uuid.UUID {
	id := uuid.MustParse("00000000-0000-7e4f-8a1b-2c3d4e5f6a7b")
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(id[:6], ms[2:])
	return id
}

func TestTimes(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 987_654_321, time.UTC)
	received := now.Truncate(time.Millisecond)
	v4 := uuid.MustParse("4bf92f35-77b3-4da6-a3ce-929d0e0e4736")
	at := func(d time.Duration) Timestamp {
		return Timestamp{state: understood, ms: received.Add(d).UnixMilli()}
	}
	var none time.Duration
	for name, c := range map[string]struct {
		ts         Timestamp
		id         uuid.UUID
		made       bool // the id is not the client's
		correction time.Duration
		want       time.Time
		adjusted   bool
	}{
		"as sent":                    {at(-time.Minute), v4, false, none, received.Add(-time.Minute), false},
		"wins over the id":           {at(-time.Minute), idAt(received.Add(-time.Hour)), false, none, received.Add(-time.Minute), false},
		"an hour ahead":              {at(time.Hour), v4, false, none, received.Add(time.Hour), false},
		"more than an hour ahead":    {at(time.Hour + time.Millisecond), v4, false, none, received, true},
		"as old as allowed":          {at(-90 * day), v4, false, none, received.Add(-90 * day), false},
		"older":                      {at(-90*day - time.Millisecond), v4, false, none, received, true},
		"not understood":             {Timestamp{state: notUnderstood}, v4, false, none, received, true},
		"not understood, v7":         {Timestamp{state: notUnderstood}, idAt(received), false, none, received, true},
		"corrected":                  {at(-time.Minute), v4, false, 30 * time.Second, received.Add(-30 * time.Second), false},
		"corrected back into bounds": {at(2 * day), v4, false, -2 * day, received, false},
		"corrected out of bounds":    {at(0), v4, false, 2 * time.Hour, received, true},
		"corrected beyond all":       {at(0), v4, false, -1 << 63, received, true},
		"absent":                     {Timestamp{}, v4, false, none, received, false},
		"absent, corrected":          {Timestamp{}, v4, false, time.Hour, received, false},
		"absent, v7":                 {Timestamp{}, idAt(received.Add(-time.Hour)), false, none, received.Add(-time.Hour), false},
		"absent, v7, corrected":      {Timestamp{}, idAt(received.Add(-time.Hour)), false, time.Minute, received.Add(-59 * time.Minute), false},
		"absent, v7 of ours":         {Timestamp{}, idAt(received), true, time.Minute, received, false},
		"absent, v7 too old":         {Timestamp{}, idAt(received.Add(-91 * day)), false, none, received, true},
		"absent, v7 ahead":           {Timestamp{}, idAt(received.Add(day)), false, none, received, true},
		"absent, v7 of year 10889":   {Timestamp{}, uuid.MustParse("ffffffff-ffff-7e4f-8a1b-2c3d4e5f6a7b"), false, none, received, true},
	} {
		ev := Event{Timestamp: c.ts, HasID: !c.made}
		got, client, adjusted := ev.Times(c.id, now, c.correction, 90*day)
		if !got.Equal(c.want) || adjusted != c.adjusted {
			t.Errorf("%s: %v %v, want %v %v", name, got, adjusted, c.want, c.adjusted)
		}
		if sent, _ := c.ts.Time(); !client.Equal(sent) {
			t.Errorf("%s: the client's is %v, want %v", name, client, sent)
		}
		if got.Location() != time.UTC || client.Location() != time.UTC {
			t.Errorf("%s: not in UTC", name)
		}
	}
}

func TestTimesWithoutMaxAge(t *testing.T) {
	ev := Event{Timestamp: Timestamp{state: understood, ms: minMillis}}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	if got, _, adjusted := ev.Times(uuid.Nil, now, 0, 0); adjusted || got.UnixMilli() != minMillis {
		t.Errorf("%v %v", got, adjusted)
	}
	// A correction must not lead out of what the column can hold.
	if got, _, adjusted := ev.Times(uuid.Nil, now, -time.Second, 0); !adjusted || !got.Equal(now) {
		t.Errorf("%v %v", got, adjusted)
	}
}

func TestCorrection(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for sent, want := range map[time.Time]time.Duration{
		{}:                                0,
		now:                               0,
		now.Add(-2 * time.Second):         0,
		now.Add(2 * time.Second):          0,
		now.Add(-2001 * time.Millisecond): 2001 * time.Millisecond,
		now.Add(day):                      -day,
	} {
		if got := (Envelope{ReceivedAt: now, SentAt: sent}).Correction(); got != want {
			t.Errorf("sent %v, received %v: %v, want %v", sent, now, got, want)
		}
	}
}
