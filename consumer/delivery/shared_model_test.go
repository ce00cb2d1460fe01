package delivery

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// sharedHistories counts the histories that end badly, and returns the first of them.
func sharedHistories(seeds uint64, r sharedRules) (bad int, first string) {
	var next atomic.Uint64
	var mu sync.Mutex
	firstSeed := seeds
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for seed := next.Add(1) - 1; seed < seeds; seed = next.Add(1) - 1 {
				w := newWorld(seed, r)
				wrong := w.run()
				if wrong == "" {
					continue
				}
				mu.Lock()
				if bad++; seed < firstSeed {
					firstSeed, first = seed, fmt.Sprintf("seed %d: %s\n%s", seed, wrong, strings.Join(w.trace, "\n"))
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return bad, first
}

// Whatever goes wrong, and whoever shares a block with whom, every record is a row once.
func TestSharedModel(t *testing.T) {
	t.Parallel()
	if n, first := sharedHistories(sharedSeeds, sharedRules{}); n > 0 {
		t.Errorf("%d of %d histories end badly; the first, %s", n, sharedSeeds, first)
	}
}

// Without any one of the rules that shared blocks rest on, some histories end badly.
func TestSharedModelWithout(t *testing.T) {
	t.Parallel()
	without(t, map[string]sharedRules{
		"recording":                        {unrecorded: true},
		"an answer for each partition":     {everyAnswer: true},
		"the shared token first":           {ownAtOnce: true},
		"a look before":                    {noLook: true},
		"a look after":                     {noLookAfter: true},
		"the highest offset":               {noSeen: true},
		"division by partitions":           {bypass: true},
		"doubt of a second insert":         {noDoubt: true},
		"an id of this block alone":        {idByRange: true},
		"patience after metadata was lost": {noGap: true},
		"patience after a set offset":      {noGapSet: true},
		"one block a token":                {twoBlocks: true},
		"a window":                         {noWindow: true},
		"reads that miss nothing":          {lagging: true},
	})
}

// Some of the rules matter only if several things go wrong in a row.
func TestSharedModelSeldomWithout(t *testing.T) {
	t.Parallel()
	if sharedSeeds < modelSeeds {
		t.Skip("with the race detector it would take minutes: make test-models runs it")
	}
	without(t, map[string]sharedRules{
		"a hold after a lost answer":         {noHold: true},
		"own tokens alike at everybody":      {ownRandom: true},
		"an end to trust":                    {trusting: true},
		"patience with what is old":          {hasty: true},
		"patience of older consumers":        {noOldGap: true},
		"a window that keeps what it should": {shortWindow: true},
	})
}

// without plays histories without one rule, until one ends badly.
func without(t *testing.T, rules map[string]sharedRules) {
	t.Helper()
	for name, r := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(2000) {
				if newWorld(seed, r).run() != "" {
					t.Logf("seed %d ends badly", seed)
					return
				}
			}
			t.Error("nothing goes wrong without it")
		})
	}
}
