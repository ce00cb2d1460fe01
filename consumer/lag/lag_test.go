package lag

import (
	"testing"
	"testing/synctest"
	"time"
)

// What a Lag keeps during a long outage is bounded, and the oldest record stays.
func TestLagRemembersLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New().Of("events", 0)
		l.Owns(0)
		for i := range int64(10 * maxReadAt) {
			l.Arrives(i, time.Now().UnixMilli())
			l.Fetched(i+1, i+1, true, time.Now().UnixMilli())
			<-time.After(time.Second)
		}
		if len(l.read) > maxReadAt {
			t.Errorf("%d offsets are remembered", len(l.read))
		}
		if got := l.age(time.Now()); got != 10*maxReadAt*time.Second {
			t.Errorf("age %s", got)
		}
		l.Enters(10*maxReadAt - 1)
		if got := l.age(time.Now()); got < time.Second || got > maxReadAt*time.Second {
			t.Errorf("age %s of the last record", got)
		}
		l.Enters(10 * maxReadAt)
		if got := l.age(time.Now()); got != 0 {
			t.Errorf("age %s of nothing", got)
		}
	})
}
