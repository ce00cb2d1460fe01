package consumer

import "sync"

// budget shares memory for records among the partitions. Half of it is theirs in equal shares, so that each always gets on, whatever the
// others hold; the other half is for whoever needs more.
type budget struct {
	mu     sync.Mutex
	total  int64
	claims map[*claim]struct{}
	freed  chan struct{} // closed and replaced whenever there may be room again
}

// claim is one partition's part of the budget.
type claim struct {
	budget *budget
	used   int64
}

func newBudget(total int) *budget {
	return &budget{total: int64(total), claims: map[*claim]struct{}{}, freed: make(chan struct{})}
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

// room says whether the partition may take more in. If not, the channel is closed when it is worth asking again.
func (c *claim) room() (bool, <-chan struct{}) {
	b := c.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	share := b.total / 2 / int64(max(1, len(b.claims)))
	if c.used < share {
		return true, nil
	}
	taken := int64(0) // of the half that all may have
	for other := range b.claims {
		taken += max(0, other.used-share)
	}
	return taken < b.total/2, b.freed
}
