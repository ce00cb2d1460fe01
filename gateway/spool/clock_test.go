package spool

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const day = 24 * time.Hour

// The wall clock jumps while events wait: ages are never negative, MaxAge is not tripped, and all entries come back.
func TestSpoolClockJumps(t *testing.T) {
	t.Parallel()
	jumps := []time.Duration{time.Hour, 100 * day, 50 * 365 * day, -time.Hour, -100 * day, -50 * 365 * day}
	for _, jump := range jumps {
		t.Run(jump.String(), func(t *testing.T) {
			s := openSpool(t, t.TempDir(), func(s *Spool) { s.cfg.MaxAge, s.segmentBytes = time.Hour, 1 })
			age := func(want time.Duration) {
				t.Helper()
				if got := s.Stats().Age; got != want {
					t.Errorf("the oldest has waited for %s, not %s", got, want)
				}
			}
			s.mustPut("0")
			s.clock.Advance(10 * time.Minute)
			s.mustPut("1")
			s.clock.Jump(jump)
			age(10 * time.Minute)
			s.mustPut("2")
			s.clock.Advance(10 * time.Minute)
			s.clock.Jump(-jump)
			s.mustPut("3")
			age(20 * time.Minute)
			_, err := s.Take(1, 1)
			require.NoError(t, err)
			require.NoError(t, s.Done())
			age(10 * time.Minute)
			s.clock.Jump(jump)
			s.clock.Advance(50 * time.Minute)
			s.mustPut("at the limit")
			s.clock.Advance(time.Millisecond)
			if err := s.put("over it"); err == nil {
				t.Error("the limit is not kept")
			}
			if got := s.rest(); !slices.Equal(got, []string{"1", "2", "3", "at the limit"}) {
				t.Errorf("came: %q", got)
			}
		})
	}
}

// The wall clock jumps while no gateway runs: all entries come back, and the spool takes more.
func TestSpoolClockJumpsBetweenRuns(t *testing.T) {
	t.Parallel()
	for jump, want := range map[time.Duration]time.Duration{
		0: 0, 10 * time.Minute: 10 * time.Minute, time.Hour: time.Hour, time.Hour + time.Millisecond: time.Hour / 2,
		100 * day: time.Hour / 2, 50 * 365 * day: time.Hour / 2, -time.Hour: 0, -100 * day: 0, -50 * 365 * day: 0,
	} {
		t.Run(jump.String(), func(t *testing.T) {
			dir := t.TempDir()
			s := openSpool(t, dir)
			s.mustPut("before")
			s.shut()
			again := openSpool(t, dir, func(next *Spool) { // its clock begins where the other's did
				now := next.cfg.Now
				next.cfg.Now = func() time.Time { return now().Add(jump) }
			})
			if f := again.Stats(); f.Age != want {
				t.Errorf("it has waited for %s, not %s", f.Age, want)
			}
			again.mustPut("after")
			if got := again.rest(); !slices.Equal(got, []string{"before", "after"}) {
				t.Errorf("came: %q", got)
			}
		})
	}
}
