package process

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"time"
)

const (
	// frugalEvery is the time between two adjustments of the collector's pace.
	frugalEvery = time.Second
	// frugalRoom is the least garbage, in bytes, that gathers before a collection. busyRoom is the most that gathers on
	// top of a small heap.
	frugalRoom = 32 << 20
	busyRoom   = 96 << 20
	// percentDefault is the Go runtime's default pace: the garbage may equal the live heap and stacks.
	percentDefault = 100
	percentLeast   = 10
)

// Frugal runs run and adapts the garbage collector to its load: as much garbage gathers as the service produces in a
// second. So the collector runs about once a second at most, both in an idle service and in a busy one with a small
// heap.
//
// The runtime's default is worse at both ends. It lets garbage gather until it equals the live heap and stacks. Ten
// thousand idle connections hold a hundred megabytes, and would cost a hundred more over time, for a few requests a
// second. A busy gateway with few connections holds ten megabytes, and would collect many times a second, each time
// delaying requests.
//
// Frugal returns run's error and restores the pace. If GOGC is in the environment, Frugal changes nothing.
func Frugal(ctx context.Context, run func(context.Context) error) error {
	if os.Getenv("GOGC") != "" {
		return run(ctx)
	}
	before := debug.SetGCPercent(percentDefault)
	defer debug.SetGCPercent(before)
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watching.Go(func() { adjust(ctx) })
	return run(ctx)
}

// adjust adapts the collector's pace until ctx ends.
func adjust(ctx context.Context) {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/gc/heap/allocs:bytes"},
	}
	metrics.Read(samples)
	last, set := samples[2].Value.Uint64(), percentDefault
	tick := time.NewTicker(frugalEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(samples)
		allocs := samples[2].Value.Uint64()
		want := gcPercent(samples[0].Value.Uint64()+samples[1].Value.Uint64(), allocs-last)
		last = allocs
		if 10*max(want-set, set-want) > set { // each change stops the world for a moment
			debug.SetGCPercent(want)
			set = want
		}
	}
}

// gcPercent returns the pace, in percent of used, at which made bytes of garbage gather: the garbage of the last
// second. The garbage is at least frugalRoom, and at most the larger of used and busyRoom.
func gcPercent(used, made uint64) int {
	used = max(used, 1<<20)
	room := min(max(made, frugalRoom), max(used, busyRoom))
	return max(percentLeast, int(min(room*100/used, 10_000)))
}
