package shared

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"sluice/consumer/delivery"
	"sluice/consumer/rows"
	"sluice/internal/backoff"
)

const (
	// recordPatience is how long the partitions of a new block wait for those whose commit is under way.
	recordPatience = time.Second
	// patience is how long they wait for each other later: while one of them reads the table, or fetches again what an
	// earlier owner had recorded. It is shorter than the table's answer is trusted.
	patience = delivery.TokenTrust / 2
)

// Table is where blocks go.
//
// The implementer owes: Insert sends the rows of all blocks as one block under one token, and returns nil only if all of
// them are in the table, or the token was known before. It changes no block, and keeps none.
type Table interface {
	Insert(ctx context.Context, token string, blocks ...*rows.Block) error
}

// Blocks are the shared blocks of one consumer in one generation of the group. It is safe for concurrent use.
type Blocks struct {
	table    Table
	tooLarge func(bytes int64)

	mu       sync.Mutex
	all      map[uint64]*block
	starting int // partitions that have not said yet what an earlier owner has recorded
}

// block is what is known about one shared block. Blocks guards it.
type block struct {
	sends    delivery.Sends
	expected map[int]bool // partitions that are not done with it: false if nobody waits for them
	waiting  []*waiter
	busy     bool
	again    bool          // it was sent before, or recorded by an earlier owner
	changed  chan struct{} // closed and replaced when somebody may have to go
	pause    time.Duration // before the next attempt
}

// waiter is a partition that has something to insert.
type waiter struct {
	Send

	since  time.Time
	unlent chan struct{} // its rows are not needed any more
	answer chan Answer
}

// NewBlocks makes the blocks of a number of partitions, each of which has to call Recorded. tooLarge is told the bytes
// of an insert of several partitions that the table does not take for its size.
func NewBlocks(table Table, partitions int, tooLarge func(bytes int64)) *Blocks {
	return &Blocks{
		table: table, tooLarge: tooLarge, all: map[uint64]*block{}, starting: partitions,
	}
}

// Recorded says which shared blocks an earlier owner has recorded for a partition. Each partition calls it once. The id
// 0 is of no shared block.
func (b *Blocks) Recorded(partition int, ids []uint64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.starting--
	for _, id := range ids {
		if id != 0 {
			one := b.of(id)
			one.expected[partition], one.again = true, true
		}
	}
	if b.starting == 0 {
		for _, one := range b.all {
			one.wake()
		}
	}
}

// begin makes the block of batches that are not recorded yet.
func (b *Blocks) begin(partitions []int) (id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id == 0 {
		id = rand.Uint64()
	}
	one := b.of(id)
	for _, p := range partitions {
		one.expected[p] = true
	}
	return id
}

func (b *Blocks) of(id uint64) *block {
	one := b.all[id]
	if one == nil {
		one = &block{expected: map[int]bool{}, changed: make(chan struct{})}
		b.all[id] = one
	}
	return one
}

// Leave says that a partition is done with a block, or gives it up.
func (b *Blocks) Leave(id uint64, partition int) {
	if b == nil || id == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.all[id]
	if one == nil {
		return
	}
	delete(one.expected, partition)
	if len(one.expected) == 0 && len(one.waiting) == 0 && !one.busy {
		delete(b.all, id)
		return
	}
	one.wake()
}

func (o *block) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// Send is what a partition has to insert under the token of a shared block.
type Send struct {
	Block     uint64
	Partition int
	Rows      *rows.Block
	Token     string
	// Until is how long what the table was last known to have is trusted. Nothing is sent later.
	Until time.Time
	// Alone says that the rows go in without those of other partitions, because these may be at fault.
	Alone bool
	// Waits is called every second while nothing is sent.
	Waits func()
}

// Answer is what came of it.
type Answer struct {
	Err error
	// Stale says that nothing was sent: the table must be read again.
	Stale bool
	// Doubt says that the token may have been used up before, so that the rows need not be in.
	Doubt bool
	// Together says that other partitions' rows were in the insert.
	Together bool
	// Counts says that this answer stands for the insert in figures: one of the answers of each insert does.
	Counts bool
	// Rows and Bytes are the insert's.
	Rows, Bytes int
	// Began is when the insert did, and Took how long it took.
	Began time.Time
	Took  time.Duration
	// Pause is how long to wait after an error, the same for all partitions of the insert.
	Pause time.Duration
}

// Insert inserts the rows of a partition. It waits for the other partitions of the block, a bounded time, and one of
// them sends the rows of all. If ctx ends the outcome is unknown.
func (b *Blocks) Insert(ctx context.Context, s Send) Answer {
	w := &waiter{Send: s, since: time.Now(), unlent: make(chan struct{}), answer: make(chan Answer, 1)}
	b.mu.Lock()
	one := b.of(s.Block)
	one.expected[s.Partition] = !s.Alone
	if s.Alone {
		one.wake()
		b.mu.Unlock()
		b.send(ctx, one, []*waiter{w})
		return <-w.answer
	}
	one.waiting = append(one.waiting, w)
	b.mu.Unlock()
	for {
		b.mu.Lock()
		if one.isWaiting(w) && !one.busy && b.isReady(one, time.Now()) {
			b.lead(ctx, one) // it unlocks
		} else {
			changed, left := one.changed, one.patienceLeft(time.Now())
			b.mu.Unlock()
			if !w.wait(ctx, changed, min(left, time.Second)) {
				return b.giveUp(ctx, one, w)
			}
		}
		select {
		case a := <-w.answer:
			return a
		default:
		}
	}
}

// wait waits until there may be something to do. It returns false if ctx ended.
func (w *waiter) wait(ctx context.Context, changed chan struct{}, most time.Duration) bool {
	timer := time.NewTimer(max(most, time.Millisecond))
	defer timer.Stop()
	select {
	case a := <-w.answer:
		w.answer <- a // its place is free again
	case <-changed:
	case <-timer.C:
		if w.Waits != nil {
			w.Waits()
		}
	case <-ctx.Done():
		return false
	}
	return true
}

// giveUp ends a wait after ctx ended. The rows may be on their way.
func (b *Blocks) giveUp(ctx context.Context, one *block, w *waiter) Answer {
	b.mu.Lock()
	waits := one.isWaiting(w)
	if waits {
		one.waiting = slices.DeleteFunc(one.waiting, func(o *waiter) bool { return o == w })
		one.expected[w.Partition] = false
		one.wake()
	}
	b.mu.Unlock()
	if !waits {
		<-w.unlent
	}
	return Answer{Err: ctx.Err(), Doubt: true}
}

func (o *block) isWaiting(w *waiter) bool { return slices.Contains(o.waiting, w) }

// isReady says whether to go now: all are here that are expected, or the first has waited for long enough.
func (b *Blocks) isReady(one *block, now time.Time) bool {
	if one.patienceLeft(now) <= 0 {
		return true
	}
	if one.again && b.starting > 0 {
		return false
	}
	for p, awaited := range one.expected {
		if awaited && !slices.ContainsFunc(one.waiting, func(w *waiter) bool { return w.Partition == p }) {
			return false
		}
	}
	return true
}

// patienceLeft is how long the first waiter goes on waiting for others.
func (o *block) patienceLeft(now time.Time) time.Duration {
	if len(o.waiting) == 0 || o.busy {
		return time.Second // somebody else goes on
	}
	most := recordPatience
	if o.again {
		most = patience
	}
	return o.waiting[0].since.Add(most).Sub(now)
}

// lead sends what all waiters have. It is called with the lock, and returns without it.
func (b *Blocks) lead(ctx context.Context, one *block) {
	all := one.waiting
	one.waiting, one.busy = nil, true
	b.mu.Unlock()
	slices.SortFunc(all, func(x, y *waiter) int { return cmp.Compare(x.Partition, y.Partition) })
	b.send(ctx, one, all)
	b.mu.Lock()
	defer b.mu.Unlock()
	one.busy, one.again = false, true
	one.wake()
}

// nextPause is how long to wait after an error: longer each time, and not the same for all blocks.
func (o *block) nextPause() time.Duration {
	o.pause = min(max(2*o.pause, 100*time.Millisecond), backoff.Max)
	return o.pause/2 + rand.N(o.pause/2)
}
