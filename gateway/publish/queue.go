package publish

import (
	"sync"
	"time"
)

// queue holds chunks until a lane takes them.
type queue struct {
	wake  chan struct{} // holds a token when there may be something to take
	batch *batchBound
	held  func(partition int) bool // whether a partition's records must wait; nil: never

	mu     sync.Mutex
	chunks []*chunk
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) push(c *chunk) {
	q.mu.Lock()
	q.chunks = append(q.chunks, c)
	q.mu.Unlock()
	q.poke()
}

// poke wakes one lane that waits for the queue, or the next that will.
func (q *queue) poke() {
	select {
	case q.wake <- struct{}{}:
	default: // a token is there already
	}
}

// take removes as many chunks as fit into one batch: all for the partition of the first, in the order they came. It appends
// them to into.
func (q *queue) take(into []*chunk) []*chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.first()
	if first < 0 {
		return into
	}
	partition := q.chunks[first].partition
	bytes, records, full, most := 0, 0, false, q.batch.bytes()
	rest := q.chunks[:0]
	for i, c := range q.chunks {
		if full {
			rest = append(rest, q.chunks[i:]...)
			break
		}
		if c.partition != partition {
			rest = append(rest, c)
			continue
		}
		if i > first && (bytes+c.size() > most || records+c.count > maxBatchRecords) {
			rest, full = append(rest, c), true // and nothing after it: a partition keeps its order
			continue
		}
		bytes += c.size()
		records += c.count
		into = append(into, c)
	}
	q.keep(rest)
	return into
}

// first is the first chunk whose partition need not wait; −1: none.
func (q *queue) first() int {
	for i, c := range q.chunks {
		if q.held == nil || c.partition < 0 || !q.held(c.partition) {
			return i
		}
	}
	return -1
}

// expire ends the chunks whose requests were answered while they waited, so that they count against the limit no longer.
func (q *queue) expire(pub *Publisher, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	rest := q.chunks[:0]
	for _, c := range q.chunks {
		if now.Before(c.deadline) {
			rest = append(rest, c)
		} else {
			c.finish(pub, ErrDeadline)
		}
	}
	q.keep(rest)
}

// keep makes rest, which lies at the front of the same memory, the queue. What was taken must not be kept alive by it, and
// what is left is another lane's to take.
func (q *queue) keep(rest []*chunk) {
	clear(q.chunks[len(rest):])
	q.chunks = rest
	if len(rest) > 0 {
		q.poke()
	}
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.chunks) == 0
}
