package consumer

import (
	"sluice/consumer/rows"
	"sync"
)

// budget shares memory for records among the partitions. A quarter of it is theirs in equal shares, so that each always gets on, whatever
// the others hold; the rest is for whoever needs more: few large blocks cost ClickHouse less than many small ones. Its pool keeps empty blocks, at most as
// much again.
type budget struct {
	mu     sync.Mutex
	total  int64
	claims map[*claim]struct{}
	freed  chan struct{} // closed and replaced whenever there may be room again
	sealed int           // batches on their way into ClickHouse, which will give memory back
	blocks *rows.Pool
}

// block returns an empty block.
func (b *budget) block() *rows.Block { return b.blocks.Get() }

// give takes a block back.
func (b *budget) give(used *rows.Block) { b.blocks.Put(used) }

// claim is one partition's part of the budget.
type claim struct {
	budget *budget
	used   int64
}

func newBudget(total int) *budget {
	return &budget{total: int64(total), blocks: rows.NewPool(int64(total)), claims: map[*claim]struct{}{}, freed: make(chan struct{})}
}

func (b *budget) join() *claim {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &claim{budget: b}
	b.claims[c] = struct{}{}
	return c
}

func (c *claim) leave() {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.claims, c)
	b.wake()
}

// add accounts for memory taken, or given back if negative. It never waits.
func (c *claim) add(bytes int64) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	c.used += bytes
	if bytes < 0 {
		b.wake()
	}
}

func (b *budget) wake() {
	close(b.freed)
	b.freed = make(chan struct{})
}

// seal counts a batch that is on its way into ClickHouse, or with -1 one that is done with.
func (c *claim) seal(n int) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed += n
	if n < 0 {
		b.wake()
	}
}

// awaited says whether memory is on its way back, of this partition or another.
func (c *claim) awaited() bool {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sealed > 0
}

// equal is the part of a budget that is divided into equal shares: one in so many.
const equal = 4

// room says whether the partition may take more in. If not, the channel is closed when it is worth asking again.
func (c *claim) room() (bool, <-chan struct{}) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	share := b.total / equal / int64(max(1, len(b.claims)))
	if c.used < share {
		return true, nil
	}
	taken := int64(0) // of what all may have
	for other := range b.claims {
		taken += max(0, other.used-share)
	}
	return taken < b.total-b.total/equal, b.freed
}
