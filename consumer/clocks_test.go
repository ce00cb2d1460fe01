package consumer

import (
	"fmt"
	"strconv"
	"strings"
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
					clock := func() time.Time { return truth.Add(lag + consumer) }
					at, corrected := receivedAt(received.UnixMilli(), appended.UnixMilli(), clock)
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
	now := func() time.Time { return appended.Add(time.Second) }
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
		at, corrected := receivedAt(received, appended.UnixMilli(), now)
		if corrected != c.want || corrected && at != appended.UnixMilli() || !corrected && at != received {
			t.Errorf("%s: at %d, corrected %v", c.received, at, corrected)
		}
	}
}

// A topic that keeps the producers' times says nothing about the gateway's clock.
func TestReceivedAtWithoutABrokersTime(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for off, want := range map[time.Duration]time.Duration{-time.Hour: -time.Hour, 0: 0, clockSlack: clockSlack, clockSlack + 1e6: 0, 1e9 * 1e9: 0} {
		at, corrected := receivedAt(now.Add(off).UnixMilli(), 0, func() time.Time { return now })
		if got := time.UnixMilli(at).Sub(now); got != want || corrected != (off != want) {
			t.Errorf("%s: %s, corrected %v", off, got, corrected)
		}
	}
}

// Both broker and gateway may be wrong: the event stays.
func TestReceivedAtWithTwoWrongClocks(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	year := 365 * 24 * time.Hour
	at, corrected := receivedAt(now.Add(-50*year).UnixMilli(), now.Add(50*year).UnixMilli(), func() time.Time { return now })
	if at != now.UnixMilli() || !corrected {
		t.Errorf("at %s, corrected %v", time.UnixMilli(at), corrected)
	}
}

// A ClickHouse whose clock is ahead removes rows as too old within the insert, and gets none.
func TestClickHouseClockAhead(t *testing.T) {
	for ahead, unfit := range map[time.Duration]bool{
		-50 * 365 * 24 * time.Hour: false, -time.Hour: false, 0: false, time.Hour: false,
		mostAhead - time.Minute: false, mostAhead + time.Minute: true, 100 * 24 * time.Hour: true, 50 * 365 * 24 * time.Hour: true,
	} {
		s := &server{}
		s.learn("version 26.7.3.1")
		s.learn("clock " + strconv.FormatInt(time.Now().Add(ahead).UnixMilli(), 10))
		err := s.unfit()
		if (err != nil) != unfit || err != nil && !strings.Contains(err.Error(), "clock") {
			t.Errorf("%s ahead: %v", ahead, err)
		}
	}
}
