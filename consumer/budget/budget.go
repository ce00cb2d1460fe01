package budget

import (
	"sync"

	"sluice/consumer/rows"
)

// Budget shares memory for records among the partitions of a process. A quarter of it is divided into equal shares, so
// that each partition makes progress whatever the others hold. The rest is for the partitions that need more: few large
// blocks cost ClickHouse less than many small ones. The budget also keeps empty blocks, at most as much again. It is
// safe for concurrent use.
type Budget struct {
	mu     sync.Mutex
	total  int64
	share  int64 // of each claim
	taken  int64 // of the common part
	claims map[*Claim]struct{}
	freed  chan struct{} // closed and replaced when there may be room again
	sealed int           // batches on their way into ClickHouse, which will give memory back
	blocks *rows.Pool
}

// Claim is what one partition has of the budget.
type Claim struct {
	budget *Budget
	used   int64 // bytes
	sealed int   // batches on their way into ClickHouse
}

// Block returns an empty block.
func (c *Claim) Block() *rows.Block { return c.budget.blocks.Get() }

// Give takes a block back.
func (c *Claim) Give(used *rows.Block) { c.budget.blocks.Put(used) }

// Outstanding is the bytes that the partition has of the budget, and its batches on their way into ClickHouse.
func (c *Claim) Outstanding() (bytes int64, batches int) {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	return c.used, c.sealed
}

// New makes a budget of a number of bytes.
func New(total int) *Budget {
	return &Budget{
		total: int64(total), blocks: rows.NewPool(int64(total)),
		claims: map[*Claim]struct{}{}, freed: make(chan struct{}),
	}
}

// Join adds a partition.
func (b *Budget) Join() *Claim {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := &Claim{budget: b}
	b.claims[c] = struct{}{}
	b.divide()
	return c
}

// Leave removes the partition.
func (c *Claim) Leave() {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.claims, c)
	b.divide()
	b.wake()
}

// Add counts bytes that the partition takes, or gives back if negative. It never waits.
func (c *Claim) Add(bytes int64) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	_, joined := b.claims[c]
	if joined {
		b.taken -= b.beyondShare(c)
	}
	if c.used += bytes; joined {
		b.taken += b.beyondShare(c)
	}
	if bytes < 0 {
		b.wake()
	}
}

func (b *Budget) wake() {
	close(b.freed)
	b.freed = make(chan struct{})
}

// Seal counts batches that are on their way into ClickHouse, or that are done with if n is negative.
func (c *Claim) Seal(n int) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sealed += n
	c.sealed += n
	if n < 0 {
		b.wake()
	}
}

// Awaited says whether a batch, of this partition or another, will give memory back.
func (c *Claim) Awaited() bool {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sealed > 0
}

// equalPart is the part of a budget that is divided into equal shares: one in so many.
const equalPart = 4

// divide counts the common part anew, because the equal shares have changed.
func (b *Budget) divide() {
	b.share = b.total / equalPart / int64(max(1, len(b.claims)))
	b.taken = 0
	for c := range b.claims {
		b.taken += b.beyondShare(c)
	}
}

// beyondShare is what a partition has of the common part.
func (b *Budget) beyondShare(c *Claim) int64 { return max(0, c.used-b.share) }

// Room says whether the partition may take more. If not, the channel is closed when it is worth asking again.
func (c *Claim) Room() (bool, <-chan struct{}) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.used < b.share {
		return true, nil
	}
	return b.taken < b.total-b.total/equalPart, b.freed
}
