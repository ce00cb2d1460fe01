package budget

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// Turns lets a few partitions at a time work off a backlog. All at once would be no faster, because the backlog takes
// CPU time, and each partition would have part of a block when its age is up. Small inserts cost ClickHouse more
// merges. One after the other, partitions fill whole blocks. A partition without a backlog needs no turn.
//
// Partitions that share blocks have their turns after each other, so that the shared blocks are whole as well: all
// partitions of a unit that wait, then those of the unit whose partition has waited longest. Turns are safe for
// concurrent use.
type Turns struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter   // in the order in which they asked
	held    map[int]int // by unit
	asked   uint64      // how many turns were asked for
	unit    int         // whose partitions come first
	until   uint64      // the last of them, by when they asked
}

// waiter is a partition that waits for a turn.
type waiter struct {
	unit  int
	asked uint64
	given chan struct{} // closed when it has the turn
}

// NewTurns makes turns for a number of partitions at a time.
func NewTurns(n int) *Turns { return &Turns{free: n, held: map[int]int{}} }

// Turn is the access to turns of a partition of a unit.
func (t *Turns) Turn(unit int) Turn { return Turn{of: t, unit: unit} }

// Turn is one partition's turn. The zero value never waits. It is not safe for concurrent use.
type Turn struct {
	of    *Turns
	unit  int
	asked uint64 // its place among those that wait; 0: it does not
	held  bool
}

// Take waits for a turn, and says whether the partition has one. If not, the partition keeps its place.
func (t *Turn) Take(ctx context.Context, wait time.Duration) bool {
	if t.held || t.of == nil {
		return true
	}
	w := t.of.ask(t)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-w.given:
	case <-timer.C:
	case <-ctx.Done():
	}
	if t.held = t.of.stopWaiting(w); t.held {
		t.asked = 0
	}
	return t.held
}

// Holds says whether the partition has a turn.
func (t *Turn) Holds() bool { return t.held }

// End gives the turn to another partition.
func (t *Turn) End() {
	if t.held {
		t.held = false
		t.of.giveBack(t.unit)
	}
}

// Others says whether another partition of the unit has a turn or waits for one. It is for a partition that does
// neither.
func (t *Turn) Others() bool {
	if t.of == nil {
		return false
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	return t.of.held[t.unit] > 0 || slices.ContainsFunc(t.of.waiting, func(w *waiter) bool { return w.unit == t.unit })
}

// ask queues a partition, and gives it a turn if there is one.
func (t *Turns) ask(one *Turn) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one.asked == 0 {
		t.asked++
		one.asked = t.asked
	}
	w := &waiter{unit: one.unit, asked: one.asked, given: make(chan struct{})}
	at, _ := slices.BinarySearchFunc(t.waiting, w.asked, func(o *waiter, asked uint64) int {
		return cmp.Compare(o.asked, asked)
	})
	t.waiting = slices.Insert(t.waiting, at, w)
	if t.free > 0 {
		t.free--
		t.give()
	}
	return w
}

// give gives a turn to who comes next. Somebody must wait.
func (t *Turns) give() {
	next := slices.IndexFunc(t.waiting, func(w *waiter) bool { return w.unit == t.unit && w.asked <= t.until })
	if next < 0 {
		next = 0
		t.unit, t.until = t.waiting[0].unit, t.asked
	}
	close(t.waiting[next].given)
	t.held[t.waiting[next].unit]++
	t.waiting = slices.Delete(t.waiting, next, next+1)
}

func (t *Turns) giveBack(unit int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held[unit]--
	if len(t.waiting) == 0 {
		t.free++
		return
	}
	t.give()
}

// stopWaiting takes a partition out of the queue, and says whether it has a turn.
func (t *Turns) stopWaiting(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := slices.Index(t.waiting, w)
	if at >= 0 {
		t.waiting = slices.Delete(t.waiting, at, at+1)
	}
	return at < 0
}
