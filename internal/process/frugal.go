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
	// frugalEvery is how often the collector's pace is looked at.
	frugalEvery = time.Second
	// frugalRoom is the least garbage, in bytes, that may gather before it is collected, and busyRoom the most that may on top of
	// a small heap.
	frugalRoom = 32 << 20
	busyRoom   = 96 << 20
	// percentDefault is the Go runtime's own pace: garbage may gather until the heap has doubled, stacks counted in.
	percentDefault = 100
	percentLeast   = 10
)

// Frugal runs a service and fits the collector's pace to it. The Go runtime lets garbage gather until the heap has doubled,
// stacks included. Ten thousand idle connections hold a hundred megabytes and would take another hundred in the course of
// time, for a few requests a second; and a busy gateway without many connections holds ten, and would be collected many times a
// second, each time in the way of the requests of the moment. Here garbage may gather as fast as the service makes it in a
// second: an idle service is collected at most once a second more, a busy one with a small heap seldom.
//
// It returns what run returns, and leaves the pace as it was. With GOGC in the environment it changes nothing.
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

// adjust sets the collector's pace until ctx ends.
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

// gcPercent is the pace at which as much garbage gathers as was made in the last second, over what is in use: at least
// frugalRoom, and at most as much as is in use, or busyRoom where that is more.
func gcPercent(used, made uint64) int {
	used = max(used, 1<<20)
	room := min(max(made, frugalRoom), max(used, busyRoom))
	return max(percentLeast, int(min(room*100/used, 10_000))) //nolint:gosec // bounded
}
