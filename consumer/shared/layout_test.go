package shared

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func upTo(n int) (own []int) {
	for p := range n {
		own = append(own, p)
	}
	return own
}

// As many units insert in a flush age as inserts-per-second allows, over all consumers, and each partition is in one of
// them. Without sharing, and with fewer partitions than inserts, each partition is a unit of its own.
func TestLayout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		own, all, most int
		perSecond      float64
		flushAge       time.Duration
		alone          bool
		units          int
		age            time.Duration
	}{
		"none":                         {own: 0, all: 12, units: 0, age: time.Second},
		"one":                          {own: 1, all: 1, units: 1, age: time.Second},
		"as many as inserts":           {own: 12, all: 12, units: 12, age: time.Second},
		"one more":                     {own: 13, all: 13, units: 12, age: time.Second},
		"one more, not shared":         {own: 13, all: 13, alone: true, units: 13, age: 13 * time.Second / 12},
		"many":                         {own: 384, all: 384, units: 12, age: time.Second},
		"many, not shared":             {own: 384, all: 384, alone: true, units: 384, age: 32 * time.Second},
		"a third of many":              {own: 128, all: 384, units: 4, age: time.Second},
		"more consumers than inserts":  {own: 16, all: 384, units: 1, age: 2 * time.Second},
		"at most 16 in a block":        {own: 384, all: 384, most: 16, units: 24, age: 2 * time.Second},
		"a longer flush age":           {own: 384, all: 384, flushAge: 10 * time.Second, units: 120, age: 10 * time.Second},
		"a long one for few":           {own: 12, all: 12, flushAge: 10 * time.Second, units: 12, age: 10 * time.Second},
		"rare inserts":                 {own: 12, all: 12, perSecond: 0.5, units: 1, age: 2 * time.Second},
		"the topic's size is unknown":  {own: 12, all: 0, units: 12, age: time.Second},
		"one of many, more than share": {own: 1, all: 1536, units: 1, age: 128 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			pace := Pace{FlushAge: max(c.flushAge, time.Second), InsertsPerSecond: 12, MostPartitions: 1000}
			if c.perSecond > 0 {
				pace.InsertsPerSecond = c.perSecond
			}
			if c.most > 0 {
				pace.MostPartitions = c.most
			}
			l := pace.Layout(upTo(c.own), c.all, !c.alone)
			assert.Len(t, l.Units, c.units)
			assert.InDelta(t, c.age, l.FlushAge, float64(time.Microsecond))
			var all []int
			for _, one := range l.Units {
				assert.NotEmpty(t, one)
				assert.LessOrEqual(t, len(one), pace.MostPartitions)
				all = append(all, one...)
			}
			assert.Equal(t, upTo(c.own), all)
		})
	}
}

// The phases of the units are spread over the flush age, so that no two insert at the same time.
func TestPhasesSpread(t *testing.T) {
	t.Parallel()
	l := Layout{all: 4, FlushAge: time.Second}
	for partition, want := range []time.Duration{0, 250 * time.Millisecond, 500 * time.Millisecond, 750 * time.Millisecond, 0} { // a fifth was added since
		assert.Equal(t, want, l.Phase(partition), "partition %d", partition)
	}
}
