package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"sluice/consumer/shared"
)

// The end of a backlog that took four flush ages is sealed at once, a moment earlier it is not. A partition that shares
// blocks waits for the others in any case.
func TestEndOfALongBacklog(t *testing.T) {
	t.Parallel()
	unit := (*shared.Blocks)(nil).NewUnit(shared.Limits{})
	for name, c := range map[string]struct {
		seat    *shared.Seat
		took    time.Duration
		overdue bool
	}{
		"alone, a ms too short": {nil, behindAges*time.Second - time.Millisecond, false},
		"alone":                 {nil, behindAges * time.Second, true},
		"shared":                {unit.Seat(0), 100 * time.Second, false},
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
