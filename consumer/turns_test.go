package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"sluice/consumer/alive"
	"sluice/consumer/budget"
	"sluice/consumer/rows"
	"sluice/internal/recordbatch"
)

// withBacklog runs twelve partitions on one CPU, each with three blocks of 42 records on the topic, which it gets seven
// at a time. It returns how many inserts that takes.
func withBacklog(t *testing.T, turns int) (inserts int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		processor, shared := make(chan struct{}, 1), budget.NewTurns(turns)
		var workers []*worker
		for n := range 12 {
			w := newWorker(t, func(w *worker) {
				w.topic.processor, w.cfg.BatchRows = processor, 42
				if turns > 0 {
					w.turn = shared.Turn(n)
				}
			})
			w.topic.add(3 * 42)
			workers = append(workers, w)
		}
		for _, w := range workers {
			w.startUnbubbled()
		}
		pass(time.Minute)
		for _, w := range workers {
			if w.topic.at() != 3*42 {
				t.Errorf("a partition came to %d", w.topic.at())
			}
			for _, line := range w.topic.journal.read() {
				if len(line) > 7 && line[:7] == "insert " {
					inserts++
				}
			}
			w.stop()
		}
		for range turns {
			takeTurn(t, shared)
		}
	})
	return inserts
}

// takeTurn has somebody take a turn, which must be free.
func takeTurn(t *testing.T, shared *budget.Turns) *budget.Turn {
	t.Helper()
	other := shared.Turn(-1)
	if !other.Take(t.Context(), 0) {
		t.Fatal("no turn is free")
	}
	return &other
}

// isFree says whether somebody could take a turn.
func isFree(t *testing.T, shared *budget.Turns) bool {
	other := shared.Turn(-1)
	defer other.End()
	return other.Take(t.Context(), 0)
}

// A backlog goes in by whole blocks, although a round of all partitions takes longer than the age of a batch.
func TestTurnsFillBlocks(t *testing.T) {
	if n := withBacklog(t, 2); n != 36 {
		t.Errorf("%d inserts with turns, not 36 of whole blocks", n)
	}
	if n := withBacklog(t, 0); n < 12*4 {
		t.Errorf("%d inserts without: this test shows nothing", n)
	}
}

// A partition without a backlog does not wait for a turn. One with a backlog seals what it has in time.
func TestTurnsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := budget.NewTurns(1)
		other := takeTurn(t, shared)
		w := newWorker(t, func(w *worker) { w.turn = shared.Turn(0) })
		w.cfg.BatchRows = 100
		w.start()
		pass(time.Millisecond)
		w.topic.add(9) // more than one fetch
		pass(behindAges*time.Second - time.Millisecond)
		w.inserted(0)
		pass(2 * time.Second)
		w.inserted(7, "0-6")
		other.End()
		pass(behindAges * time.Second)
		w.inserted(9, "0-6", "7-8")
		takeTurn(t, shared) // which it gave back
		w.topic.add(1)
		pass(3 * time.Second)
		w.inserted(10, "0-6", "7-8", "9-9")
	})
}

// A partition with a backlog at its start takes in nothing before it has a turn, however long that takes, and is alive.
// A partition without one needs no turn.
func TestTurnIsWaitedForFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := budget.NewTurns(1)
		other := takeTurn(t, shared)
		w := newWorker(t, func(w *worker) { w.turn = shared.Turn(0) })
		w.topic.add(9)
		w.watch.Progress() // as it is begun with
		spare := rows.New()
		w.claim.Give(spare)
		w.start()
		pass(2 * alive.Stalled)
		if w.topic.delivered != 0 {
			t.Errorf("%d records are taken in", w.topic.delivered)
		}
		if w.claim.Block() != spare {
			t.Error("a partition without a turn has a block")
		}
		if err := w.watch.Fault(9); err != nil {
			t.Errorf("not alive: %v", err)
		}
		other.End()
		pass(3 * time.Second)
		w.inserted(9, "0-8")
		takeTurn(t, shared)
		idle := newWorker(t, func(w *worker) { w.turn = shared.Turn(0) })
		idle.start()
		pass(time.Millisecond)
		idle.topic.add(1)
		pass(2 * time.Second)
		idle.inserted(1, "0-0")
	})
}

// The end of a long backlog goes in at once. After a short one the batch waits for its age.
func TestEndOfABacklog(t *testing.T) {
	for behind, atOnce := range map[time.Duration]bool{behindAges*time.Second - 2*time.Millisecond: false, behindAges * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			shared := budget.NewTurns(1)
			other := takeTurn(t, shared)
			w := newWorker(t, func(w *worker) { w.turn, w.cfg.BatchRows = shared.Turn(0), 7 })
			w.start()
			pass(300 * time.Millisecond) // not when it would seal by age
			w.topic.add(9)               // one fetch of seven, which fill a batch
			pass(behind)
			w.inserted(7, "0-6")
			other.End()
			pass(time.Millisecond)
			if got := w.happened("insert 7-8") == 1; got != atOnce {
				t.Errorf("behind for %s, at once: %t", behind, got)
			}
			pass(2500 * time.Millisecond)
			w.inserted(9, "0-6", "7-8")
			w.topic.add(1)
			pass(time.Millisecond)
			if w.happened("insert 9-9") != 0 {
				t.Error("what came later went in at once as well")
			}
		})
	}
}

// Waiting for a turn ends with the partition, and a turn that was never taken is not given back.
func TestTurnEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := budget.NewTurns(1)
		other := takeTurn(t, shared)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		one := shared.Turn(0)
		start := time.Now()
		if one.Take(ctx, time.Minute) || time.Since(start) != time.Second {
			t.Errorf("waited %s", time.Since(start))
		}
		if one.Take(t.Context(), 2*time.Second) || time.Since(start) != 3*time.Second {
			t.Errorf("waited until %s", time.Since(start))
		}
		one.End()
		if isFree(t, shared) {
			t.Error("gave back what it did not have")
		}
		other.End()
		if !one.Take(t.Context(), time.Second) || isFree(t, shared) || !one.Take(t.Context(), time.Second) {
			t.Error("there was one to have")
		}
		one.End()
		one.End()
		if !isFree(t, shared) {
			t.Error("it was not given back, or twice")
		}
	})
}

// A partition without memory waits for the batches of others, instead of making a small block. It does not wait for
// longer than the age of a batch, and not if no batch is on its way.
func TestMemoryIsWaitedFor(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration // when the other's batch is done with; 0: never
		gives bool          // its memory back
		want  time.Duration // when the first insert comes
	}{
		"stuck":           {want: behindAges * time.Second},
		"no longer moves": {after: 2 * time.Second, want: 2 * time.Second},
		"gives it back":   {after: 2 * time.Second, gives: true, want: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := budget.New(16 << 10)
				other := b.Join()
				other.Add(16 << 10)
				other.Seal(1)
				w := newWorker(t, func(w *worker) { w.claim, w.cfg.BatchRows = b.Join(), 70 })
				w.topic.add(140)
				w.start()
				if c.after > 0 {
					pass(c.after - time.Millisecond)
					w.inserted(0)
					if c.gives {
						other.Add(-16 << 10)
					}
					other.Seal(-1)
					pass(time.Millisecond)
				}
				pass(c.want - c.after - time.Millisecond)
				before := len(w.topic.journal.read())
				if c.after == 0 && before != 0 {
					t.Errorf("too early: %v", w.topic.journal.read())
				}
				pass(30 * time.Millisecond)
				if len(w.topic.journal.read()) == 0 {
					t.Error("nothing was inserted in time")
				}
				if c.gives && w.happened("insert 0-69") != 1 {
					t.Errorf("not whole blocks: %v", w.topic.journal.read())
				}
			})
		})
	}
}

// A recorded range must be built as large as it was. It too waits for the memory of others, but not for partitions that
// are stuck.
func TestReplayDoesNotWaitForTheStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t, func(w *worker) { w.cfg.BatchRows = 70 })
		w.table.inserts = always(fails)
		w.topic.add(70)
		w.start()
		pass(time.Second)
		w.stop()
		if len(w.topic.spans) != 1 {
			t.Fatalf("%d ranges recorded", len(w.topic.spans))
		}
		w.table.inserts.change(succeeds)
		b := budget.New(16 << 10)
		other := b.Join()
		other.Add(16 << 10)
		other.Seal(1)
		n := w.next(func(n *worker) { n.claim = b.Join() })
		n.start()
		pass(behindAges*time.Second - time.Millisecond)
		n.inserted(0)
		pass(30 * time.Second)
		n.inserted(70, "0-69")
	})
}

// A partition that waits for memory within a block keeps its turn for a flush age: otherwise others would begin blocks
// with that memory, and all blocks would be small. Then it gives its turn up.
func TestTurnIsKeptForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := budget.NewTurns(1)
		b := budget.New(16 << 10)
		other := b.Join()
		other.Add(16 << 10)
		other.Seal(1)
		w := newWorker(t, func(w *worker) { w.turn, w.claim, w.cfg.BatchRows = shared.Turn(0), b.Join(), 70 })
		w.topic.add(140)
		w.start()
		pass(time.Millisecond)
		starved := time.Now() // or a millisecond ago
		pass(time.Second - 2*time.Millisecond)
		if isFree(t, shared) {
			t.Errorf("the turn is given back after %s", time.Since(starved))
		}
		pass(100 * time.Millisecond)
		if !isFree(t, shared) {
			t.Errorf("the turn is kept for %s", time.Since(starved))
		}
		w.inserted(0)
		other.Add(-16 << 10)
		other.Seal(-1)
		pass(time.Second)
		w.inserted(140, "0-69", "70-139")
	})
}

// A partition that is stuck, here because the dead-letter topic is away, gives up its turn while it waits for memory,
// and the others make progress.
func TestStuckPartitionKeepsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := budget.NewTurns(1)
		b := budget.New(16 << 10)
		b.Join().Add(16 << 10) // only equal shares are left
		edit := func(w *worker) { w.turn, w.claim, w.cfg.BatchRows = shared.Turn(0), b.Join(), 70 }
		stuck := newWorker(t, edit)
		stuck.topic.put(recordbatch.Record{}) // will be a dead letter
		stuck.topic.burials = always(fails)
		stuck.topic.add(200)
		stuck.start()
		pass(time.Minute)
		healthy := newWorker(t, edit)
		healthy.topic.add(140)
		healthy.start()
		pass(time.Minute)
		if at := healthy.topic.at(); at != 140 {
			t.Errorf("the other one came to %d", at)
		}
	})
}

// After a failed fetch nobody knows whether there is a backlog, and the partition gives up its turn.
func TestFailedFetchKeepsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := budget.NewTurns(1)
		w := newWorker(t, func(w *worker) { w.turn, w.cfg.BatchRows = shared.Turn(0), 70 })
		w.topic.fetches = &plan{next: []outcome{succeeds}, then: fails}
		w.topic.add(20)
		w.start()
		pass(500 * time.Millisecond)
		if !isFree(t, shared) {
			t.Error("it has a turn")
		}
	})
}

// The topic is created anew while everything is stuck. The partition still ends with nothing left behind.
func TestJumpIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorker(t)
		w.table.inserts = always(fails)
		w.topic.add(20)
		w.start()
		pass(time.Second)
		w.topic.mu.Lock()
		w.topic.records, w.topic.end = nil, 0
		w.topic.mu.Unlock()
		pass(10 * time.Second)
		w.stop() // which looks whether anything is left
	})
}
