package rows

import "sync"

// Pool keeps empty blocks: fresh memory is a fifth of what filling a block costs. It keeps at most a number of bytes, counted by what
// was in the blocks when they were full and will be when they are full again. Safe for concurrent use.
type Pool struct {
	mu    sync.Mutex
	total int64
	spare []spare
	kept  int64 // what the spare blocks count
	sizes Sizes
}

// spare is an empty block. Its memory may be more than it counts, but at most twice as much.
type spare struct {
	*Block
	counts int64
}

// NewPool makes a pool that keeps so many bytes. With 0 it keeps none, and only knows how large the next block may become.
func NewPool(total int64) *Pool { return &Pool{total: total} }

// Get returns an empty block.
func (p *Pool) Get() *Block {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out *Block
	if n := len(p.spare); n == 0 {
		out = New()
	} else {
		out = p.spare[n-1].Block
		p.kept -= p.spare[n-1].counts
		p.spare[n-1] = spare{}
		p.spare = p.spare[:n-1]
	}
	p.sizes.Expect(out)
	return out
}

// Put takes a block back. It drops a block whose memory is far more than what was in it now, and the oldest blocks if it keeps too many.
func (p *Pool) Put(used *Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sizes.Learn(used)
	const small = 1 << 20
	memory, bytes := int64(used.memory()), int64(used.Bytes())
	if memory > small && memory > 4*bytes {
		return
	}
	used.Reset()
	p.spare = append(p.spare, spare{used, max(bytes, memory/2)})
	p.kept += p.spare[len(p.spare)-1].counts
	for p.kept > p.total { // what is in use is not looked at: beside a budget that is used up, as it is in a backlog, none would be kept
		p.kept -= p.spare[0].counts
		p.spare[0] = spare{}
		p.spare = p.spare[1:]
	}
}
