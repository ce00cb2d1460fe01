package rows

import "sync"

// Pool keeps empty blocks, because fresh memory is a fifth of what filling a block costs. It is safe for concurrent
// use.
type Pool struct {
	mu    sync.Mutex
	total int64
	spare []spare // the oldest first
	kept  int64   // what the spare blocks count together
	sizes sizes
}

// spare is an empty block. It counts the bytes that were in it when it was full, or half of its memory if that is more.
type spare struct {
	*Block
	counts int64
}

// NewPool makes a pool that keeps blocks up to a number of bytes. With 0 it keeps none.
func NewPool(total int64) *Pool { return &Pool{total: total} }

// Get returns an empty block. A new block allocates about as much memory as recent blocks needed.
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
	p.sizes.expect(out)
	return out
}

// Put takes a full block back. It drops a block whose memory is much larger than its rows, and the oldest blocks when
// it keeps too many bytes. Blocks in use do not count: in a backlog the budget is used up, and no block would be kept
// beside it.
func (p *Pool) Put(used *Block) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sizes.learn(used)
	const small = 1 << 20
	memory, bytes := int64(used.memory()), int64(used.Bytes())
	if memory > small && memory > 4*bytes {
		return
	}
	used.Reset()
	p.spare = append(p.spare, spare{used, max(bytes, memory/2)})
	p.kept += p.spare[len(p.spare)-1].counts
	for p.kept > p.total {
		p.kept -= p.spare[0].counts
		p.spare[0] = spare{}
		p.spare = p.spare[1:]
	}
}
