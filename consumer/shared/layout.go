package shared

import (
	"math"
	"time"
)

// Pace is how often the consumers of a group insert, together.
type Pace struct {
	// FlushAge is how long a batch waits at most, unless there are more units than inserts in that time.
	FlushAge time.Duration
	// InsertsPerSecond is the most of all consumers, above 0.
	InsertsPerSecond float64
	// MostPartitions may share one insert, at least 1.
	MostPartitions int
}

// Layout is how the partitions of one consumer share blocks, and when they seal their batches.
type Layout struct {
	// Units are the partitions that share blocks: runs of those of this consumer.
	Units [][]int
	// FlushAge is how long a batch waits.
	FlushAge time.Duration

	all int // partitions of the topic
}

// Layout shares the partitions of this consumer out to units. The units of all consumers together are as many as there
// may be inserts in one flush age, or as there are consumers if these are more. Every consumer comes to its own number
// of units by itself. If sharing is false, each partition is a unit of its own.
//
// The flush age is longer than configured only if there are more units than inserts in that time.
func (p Pace) Layout(own []int, all int, sharing bool) Layout {
	all = max(all, len(own), 1)
	n := len(own)
	if sharing {
		inserts := min(float64(all), max(1, math.Floor(p.InsertsPerSecond*p.FlushAge.Seconds())))
		n = int(math.Round(inserts * float64(len(own)) / float64(all)))
		n = max(n, (len(own)+p.MostPartitions-1)/p.MostPartitions)
		n = min(max(n, 1), len(own))
	}
	out := Layout{all: all, FlushAge: p.FlushAge}
	for i := range n {
		out.Units = append(out.Units, own[i*len(own)/n:(i+1)*len(own)/n])
	}
	if n > 0 {
		everywhere := float64(n) * float64(all) / float64(len(own))
		out.FlushAge = max(out.FlushAge, time.Duration(everywhere/p.InsertsPerSecond*float64(time.Second)))
	}
	return out
}

// Phase is when in each flush age the batches of a unit are sealed, by its first partition. The phases of all
// units are spread evenly.
func (l Layout) Phase(first int) time.Duration {
	return l.FlushAge * time.Duration(first%l.all) / time.Duration(l.all)
}
