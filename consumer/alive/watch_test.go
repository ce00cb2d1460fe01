package alive

import (
	"testing"
	"testing/synctest"
	"time"
)

// Lag without progress fails liveness if nothing outside the process is in the way.
func TestWatchSeesNoProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Watch
		step := func(lag int64) error {
			time.Sleep(Stalled)
			w.Beat(Fetch)
			w.Beat(Record)
			return w.Fault(lag)
		}
		w.Progress()
		if err := step(5); err != nil {
			t.Errorf("just in time: %v", err)
		}
		time.Sleep(time.Second)
		if w.Fault(5) == nil {
			t.Error("nothing got in for longer than it may take")
		}
		w.Block()
		if err := w.Fault(5); err != nil {
			t.Errorf("blocked by something outside: %v", err)
		}
		w.Unblock()
		if err := step(0); err != nil {
			t.Errorf("there is no lag: %v", err)
		}
		w.Rest()
		if err := step(5); err != nil {
			w.Rest()
			t.Errorf("at rest: %v", err)
		}
	})
}
