package observed

import (
	"testing"
	"time"
)

// Each limit of a dispute, and one below it.
func TestDispute(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, c := range []struct {
		name  string
		f     Verdict
		times int
		over  time.Duration
		want  bool
	}{
		{"removed once", Removed, 1, time.Hour, false},
		{"removed twice", Removed, RemovedAnswers, 0, true},
		{"cut, too few answers", Cut, CutAnswers - 1, time.Hour, false},
		{"cut, too soon", Cut, CutAnswers, CutAfter - 1, false},
		{"cut", Cut, CutAnswers, CutAfter, true},
		{"stale, for ever", Stale, 1000, time.Hour, false},
	} {
		var d Dispute
		sure := false
		for i := range c.times {
			at := now
			if i == c.times-1 && i > 0 {
				at = now.Add(c.over)
			}
			sure = d.Found(c.f, at)
		}
		if sure != c.want {
			t.Errorf("%s: %v", c.name, sure)
		}
		if d.Found(Stale, now.Add(2*time.Hour)); d.Times != 1 && c.f != Stale {
			t.Errorf("%s: another verdict does not begin anew", c.name)
		}
	}
}
