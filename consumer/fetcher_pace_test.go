package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"sluice/consumer/shared"
)

// The end of a backlog that took four flush ages is sealed at once, a moment earlier it is not. A quarter of one is
// enough for a partition that shares blocks.
func TestEndOfALongBacklog(t *testing.T) {
	t.Parallel()
	unit := (*shared.Blocks)(nil).NewUnit(shared.Limits{})
	for name, c := range map[string]struct {
		seat    *shared.Seat
		took    time.Duration
		overdue bool
	}{
		"alone, a ms too short":  {nil, behindAges*time.Second - time.Millisecond, false},
		"alone":                  {nil, behindAges * time.Second, true},
		"shared, a ms too short": {unit.Seat(0), time.Second/4 - time.Millisecond, false},
		"shared":                 {unit.Seat(0), time.Second / 4, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &partition{flushAge: time.Second}
			p.seat = c.seat
			f := &fetcher{partition: p, current: newBatch(nil)}
			f.current.Records = 1
			f.noteBacklog(true)
			<-time.After(c.took)
			f.noteBacklog(false)
			assert.Equal(t, c.overdue, f.backlog.overdue, name)
		})
	}
}
