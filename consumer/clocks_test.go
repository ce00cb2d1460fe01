package consumer

import (
	"fmt"
	"sluice/consumer/rows"
	"testing"
	"time"
)

// offs are how far a clock may be off.
var offs = []time.Duration{
	-50 * 365 * 24 * time.Hour, -100 * 24 * time.Hour, -time.Hour, 0, time.Hour, 100 * 24 * time.Hour, 50 * 365 * 24 * time.Hour,
}

// Whatever one clock says, an event counts as received neither so long ago that retention removes it, nor in the future.
func TestReceivedAt(t *testing.T) {
	truth := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for _, gateway := range offs {
		for _, broker := range offs {
			for _, consumer := range offs {
				wrong := 0
				for _, off := range []time.Duration{gateway, broker, consumer} {
					if off != 0 {
						wrong++
					}
				}
				if wrong > 1 {
					continue // nobody can tell
				}
				for _, lag := range []time.Duration{0, time.Second, time.Hour, 6 * 24 * time.Hour} {
					name := fmt.Sprintf("gateway %s, broker %s, consumer %s, lag %s", gateway, broker, consumer, lag)
					received, appended := truth.Add(gateway), truth.Add(10*time.Millisecond+broker)
					now := truth.Add(lag + consumer).UnixMilli()
					at, corrected := receivedAt(witness{received.UnixMilli(), appended.UnixMilli(), true}, now)
					off := time.UnixMilli(at).Sub(truth)
					if off < -longestSpooled || off > max(lag, time.Hour)+clockSlack {
						t.Errorf("%s: received %s off", name, off)
					}
					if corrected != (at != received.UnixMilli()) {
						t.Errorf("%s: corrected is %v", name, corrected)
					}
					if wrong == 0 && corrected {
						t.Errorf("%s: corrected", name)
					}
				}
			}
		}
	}
}

// What lies in a spool for a day keeps its time; what lay there for longer counts from when Kafka took it.
func TestReceivedAtAtItsLimits(t *testing.T) {
	appended := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	now := appended.Add(time.Second).UnixMilli()
	for _, c := range []struct {
		received time.Duration // after appended
		want     bool
	}{
		{-longestSpooled + time.Millisecond, false},
		{-longestSpooled, false},
		{-longestSpooled - time.Millisecond, true},
		{clockSlack - time.Millisecond, false},
		{clockSlack, false},
		{clockSlack + time.Millisecond, false}, // not ahead of this clock
		{clockSlack + time.Second, false},
		{clockSlack + time.Second + time.Millisecond, true},
	} {
		received := appended.Add(c.received).UnixMilli()
		at, corrected := receivedAt(witness{received, appended.UnixMilli(), true}, now)
		if corrected != c.want || corrected && at != appended.UnixMilli() || !corrected && at != received {
			t.Errorf("%s: at %d, corrected %v", c.received, at, corrected)
		}
	}
}

// A topic that keeps the producers' times says nothing about the gateway's clock: this clock decides.
func TestReceivedAtWithoutABrokersTime(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC).UnixMilli()
	const never, same = time.Duration(1<<63 - 1), time.Duration(0)
	for _, c := range []struct{ received, stamped, want time.Duration }{
		{0, same, 0},
		{-time.Hour, same, -time.Hour},
		{clockSlack, same, clockSlack},
		{clockSlack + time.Millisecond, same, 0},
		{50 * 365 * 24 * time.Hour, same, 0},
		{-longestLag, same, -longestLag},
		{-longestLag - time.Millisecond, same, 0},
		{-50 * 365 * 24 * time.Hour, same, 0},
		{-50 * 365 * 24 * time.Hour, never, 0},
		{-100 * 24 * time.Hour, 100*24*time.Hour - time.Minute, -time.Minute}, // a producer that is right
		{-longestSpooled, longestSpooled, -longestSpooled},
		{-longestSpooled - time.Millisecond, longestSpooled + time.Millisecond, 0},
	} {
		w := witness{received: now + c.received.Milliseconds()}
		if c.stamped != never {
			w.stamped = w.received + c.stamped.Milliseconds()
		}
		at, corrected := receivedAt(w, now)
		if got := time.Duration(at-now) * time.Millisecond; got != c.want || corrected != (c.received != c.want) {
			t.Errorf("%s, stamped %s later: %s, corrected %v", c.received, c.stamped, got, corrected)
		}
	}
}

// Both broker and gateway may be wrong: the event stays.
func TestReceivedAtWithTwoWrongClocks(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	year := 365 * 24 * time.Hour
	at, corrected := receivedAt(witness{now.Add(-50 * year).UnixMilli(), now.Add(50 * year).UnixMilli(), true}, now.UnixMilli())
	if at != now.UnixMilli() || !corrected {
		t.Errorf("at %s, corrected %v", time.UnixMilli(at), corrected)
	}
}

// What decides is looked up only where a record's own times do not, and the rows have it.
func TestRowsAreReceivedWhenTheClocksSay(t *testing.T) {
	looks := 0
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	p, b := newProcessor(), rows.New()
	p.clock = func() time.Time { looks++; return now }
	for i, received := range []time.Duration{0, -time.Hour, time.Hour, -100 * 24 * time.Hour} {
		r := fromGateway(int64(i), "demo", idV4(uint64(i+1)), now.Add(received), `{"message":"m"}`)
		r.Timestamp, r.LogAppendTime = now.UnixMilli(), true
		if err := p.process(&r, b); err != nil {
			t.Fatal(err)
		}
	}
	if p.corrected != 2 || looks != 2 {
		t.Errorf("%d corrected with %d looks at the clock", p.corrected, looks)
	}
	for i, want := range []time.Time{now, now.Add(-time.Hour), now, now} {
		if got := b.ReceivedAt(i); !got.Equal(want) {
			t.Errorf("row %d: %s, want %s", i, got, want)
		}
	}
}
