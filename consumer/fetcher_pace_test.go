package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"sluice/consumer/budget"
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

// The end of a backlog waits for a whole block only while other partitions of its unit have a backlog.
func TestEndOfABacklogWaitsForOthers(t *testing.T) {
	for name, c := range map[string]struct {
		other int // the unit of a partition that has a turn
		waits time.Duration
	}{"of the unit": {0, blockPatience}, "of another unit": {1, 0}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorker(t)
			unit := w.blocks.NewUnit(shared.Limits{Rows: 10, Bytes: func() int { return 1 << 20 }})
			turns := budget.NewTurns(2)
			w.seat, w.turn = unit.Seat(0), turns.Turn(0)
			other := turns.Turn(c.other)
			assert.True(t, other.Take(t.Context(), 0))
			assert.True(t, w.turn.Take(t.Context(), 0))
			f := &fetcher{partition: w.partition, current: newBatch(nil)}
			f.current.Records = 1
			f.backlog.overdue = true
			began := time.Now()
			f.share(t.Context())
			assert.Equal(t, c.waits, time.Since(began), name)
			assert.False(t, w.turn.Holds(), name)
		})
	}
}
