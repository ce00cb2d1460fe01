package erased

import (
	"sync"

	"github.com/google/uuid"

	"sluice/consumer/rows"
	"sluice/internal/erasure"
)

// memo remembers which rows of the last blocks are erased, because a block is asked about several times: for the insert,
// and for what it counts. Finding out costs a hash for each row of a project that something was erased of.
type memo struct {
	mu   sync.Mutex
	last [32]remembered
	next int
}

// remembered is an answer for a block, by the list, and by what tells the block from others in the same memory.
type remembered struct {
	block       *rows.Block
	list        *erasure.List
	first, last int64 // offsets
	rows        int
	partition   int
	id          uuid.UUID // of the first row
	gone        []int32
}

func (r *remembered) is(list *erasure.List, b *rows.Block) bool {
	return r.block == b && r.list == list && r.rows == b.Rows() && r.partition == b.Partition() &&
		r.first == b.Offsets()[0] && r.last == b.Offsets()[r.rows-1] && r.id == b.EventIDs()[0]
}

// rowsOf is the function rowsOf with a memory. The result must not be changed.
func (m *memo) rowsOf(list *erasure.List, b *rows.Block) []int32 {
	if list == nil || b.Rows() == 0 {
		return nil
	}
	m.mu.Lock()
	for i := range m.last {
		if r := &m.last[i]; r.block == b && r.is(list, b) {
			defer m.mu.Unlock()
			return r.gone
		}
	}
	m.mu.Unlock()
	gone := rowsOf(list, b)
	n := b.Rows()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last[m.next] = remembered{
		block: b, list: list, partition: b.Partition(), first: b.Offsets()[0], last: b.Offsets()[n-1], rows: n,
		id: b.EventIDs()[0], gone: gone,
	}
	m.next = (m.next + 1) % len(m.last)
	return gone
}
