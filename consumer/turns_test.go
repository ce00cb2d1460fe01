package consumer

import (
	"context"
	"sluice/internal/recordbatch"
	"testing"
	"testing/synctest"
	"time"
)

// backlog runs twelve partitions on one processor, each with three blocks of 42 records on the topic that it gets seven at a time,
// and returns how many inserts it took.
func backlog(t *testing.T, shared turns) (inserts int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		processor := make(chan struct{}, 1)
		if shared != nil {
			shared = make(turns, cap(shared))
		}
		var workers []*worker
		for range 12 {
			w := newWorker(t, func(w *worker) {
				w.turn.of, w.topic.processor, w.cfg.BatchRows = shared, processor, 42
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
		if len(shared) != 0 {
			t.Errorf("%d turns were not given back", len(shared))
		}
	})
	return inserts
}

// What has gathered on the topic goes in whole blocks, although the processor needs longer than a batch may get old for a round of
// all partitions.
func TestTurnsFillBlocks(t *testing.T) {
	if n := backlog(t, make(turns, 2)); n != 36 {
		t.Errorf("%d inserts with turns, not 36 of whole blocks", n)
	}
	if n := backlog(t, nil); n < 12*4 {
		t.Errorf("%d inserts without: this test shows nothing", n)
	}
}

// A partition that needs no turn does not wait for one, and one that does seals what it has in time.
func TestTurnsAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := make(turns, 1)
		shared <- struct{}{} // somebody has it
		w := newWorker(t, func(w *worker) { w.turn.of = shared })
		w.cfg.BatchRows = 100
		w.start()
		pass(time.Millisecond)
		w.topic.add(9) // more than one fetch
		pass(behindAges*time.Second - time.Millisecond)
		w.inserted(0)
		pass(2 * time.Second)
		w.inserted(7, "0-6")
		<-shared
		pass(behindAges * time.Second)
		w.inserted(9, "0-6", "7-8")
		shared <- struct{}{} // which it gave back
		w.topic.add(1)
		pass(3 * time.Second)
		w.inserted(10, "0-6", "7-8", "9-9")
	})
}

// A partition that has something waiting when it begins takes none of it in before it has a turn, however long that may be, and is no less
// alive for it. One that has not needs no turn.
func TestTurnIsWaitedForFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := make(turns, 1)
		shared <- struct{}{} // somebody has it
		w := newWorker(t, func(w *worker) { w.turn.of = shared })
		w.topic.add(9)
		w.watch.progress() // as it is begun with
		w.start()
		pass(2 * stalled)
		if w.topic.delivered != 0 || w.current.rows != nil {
			t.Errorf("%d records are taken in", w.topic.delivered)
		}
		if err := w.watch.fault(9); err != nil {
			t.Errorf("not alive: %v", err)
		}
		<-shared
		pass(3 * time.Second)
		w.inserted(9, "0-8")
		shared <- struct{}{}
		idle := newWorker(t, func(w *worker) { w.turn.of = shared })
		idle.start()
		pass(time.Millisecond)
		idle.topic.add(1)
		pass(2 * time.Second)
		idle.inserted(1, "0-0")
	})
}

// The end of a backlog goes in at once; who was behind for less than that waits for its age as ever.
func TestEndOfABacklog(t *testing.T) {
	for behind, atOnce := range map[time.Duration]bool{behindAges*time.Second - 2*time.Millisecond: false, behindAges * time.Second: true} {
		synctest.Test(t, func(t *testing.T) {
			shared := make(turns, 1)
			shared <- struct{}{} // somebody has it
			w := newWorker(t, func(w *worker) { w.turn.of, w.cfg.BatchRows = shared, 7 })
			w.start()
			pass(300 * time.Millisecond) // not when it would seal by age
			w.topic.add(9)               // one fetch of seven, which fill a batch
			pass(behind)
			w.inserted(7, "0-6")
			<-shared
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

// Waiting for a turn ends with the partition, and a turn that was not had is not given back.
func TestTurnEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := make(turns, 1)
		shared <- struct{}{}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		one := turn{of: shared}
		start := time.Now()
		if one.take(ctx, time.Minute) || time.Since(start) != time.Second {
			t.Errorf("waited %s", time.Since(start))
		}
		if one.take(t.Context(), 2*time.Second) || time.Since(start) != 3*time.Second {
			t.Errorf("waited until %s", time.Since(start))
		}
		one.end()
		if len(shared) != 1 {
			t.Error("gave back what it did not have")
		}
		<-shared
		if !one.take(t.Context(), time.Second) || len(shared) != 1 || !one.take(t.Context(), time.Second) {
			t.Error("there was one to have")
		}
		one.end()
		one.end()
		if len(shared) != 0 {
			t.Error("it was not given back, or twice")
		}
	})
}

// A partition without memory waits for what others have on its way, and does not make a small block of what it has; but not for
// longer than a batch may get old, and not if nothing is on its way.
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
				b := newBudget(16 << 10)
				other := b.join()
				other.add(16 << 10)
				other.seal(1)
				w := newWorker(t, func(w *worker) { w.claim, w.cfg.BatchRows = b.join(), 70 })
				w.topic.add(140)
				w.start()
				if c.after > 0 {
					pass(c.after - time.Millisecond)
					w.inserted(0)
					if c.gives {
						other.add(-16 << 10)
					}
					other.seal(-1)
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

// What is recorded has to be built again as large as it was. It waits for the memory of others too, but not for what is stuck.
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
		b := newBudget(16 << 10)
		other := b.join()
		other.add(16 << 10)
		other.seal(1)
		n := w.next(func(n *worker) { n.claim = b.join() })
		n.start()
		pass(behindAges*time.Second - time.Millisecond)
		n.inserted(0)
		pass(30 * time.Second)
		n.inserted(70, "0-69")
	})
}

// A partition that waits for memory in the middle of a block keeps its turn for a flush age: others would begin blocks of their own
// with what memory comes back, and all would end up small. Then it lets them try.
func TestTurnIsKeptForMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := make(turns, 1)
		b := newBudget(16 << 10)
		other := b.join()
		other.add(16 << 10)
		other.seal(1)
		w := newWorker(t, func(w *worker) { w.turn.of, w.claim, w.cfg.BatchRows = shared, b.join(), 70 })
		w.topic.add(140)
		w.start()
		pass(time.Millisecond)
		starved := time.Now() // or a millisecond ago
		pass(time.Second - 2*time.Millisecond)
		if len(shared) != 1 {
			t.Errorf("the turn is given back after %s", time.Since(starved))
		}
		pass(100 * time.Millisecond)
		if len(shared) != 0 {
			t.Errorf("the turn is kept for %s", time.Since(starved))
		}
		w.inserted(0)
		other.add(-16 << 10)
		other.seal(-1)
		pass(time.Second)
		w.inserted(140, "0-69", "70-139")
	})
}

// A partition that is stuck, here because the dead-letter topic is away, keeps no turn while it waits for memory: the others get on.
func TestStuckPartitionKeepsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := make(turns, 1)
		b := newBudget(16 << 10)
		b.join().add(16 << 10) // only equal shares are left
		edit := func(w *worker) { w.turn.of, w.claim, w.cfg.BatchRows = shared, b.join(), 70 }
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

// When fetches fail nobody knows whether there is more, and no turn is kept for it.
func TestFailedFetchKeepsNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := make(turns, 1)
		w := newWorker(t, func(w *worker) { w.turn.of, w.cfg.BatchRows = shared, 70 })
		w.topic.fetches = &plan{next: []outcome{succeeds}, then: fails}
		w.topic.add(20)
		w.start()
		pass(500 * time.Millisecond)
		if len(shared) != 0 {
			t.Error("it has a turn")
		}
	})
}

// A topic made anew while all is stuck: what was to be gone on with is given back when the partition ends.
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
