package publish

import (
	"sync"
	"time"
)

// queue holds chunks until a lane takes them.
type queue struct {
	ready chan struct{} // holds a token when there may be something to take
	batch *batchBound
	held  func(partition int) bool // whether a partition's records must wait; nil: never

	mu     sync.Mutex
	chunks []*chunk
	gathering
}

func newQueue() *queue { return &queue{ready: make(chan struct{}, 1)} }

func (q *queue) push(c *chunk) {
	q.mu.Lock()
	q.chunks = append(q.chunks, c)
	q.waiting += c.count
	q.call()
	q.mu.Unlock()
}

// signal wakes one lane that waits for the queue, or the next lane that will.
func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default: // it has a token
	}
}

// take removes the chunks of one batch and appends them to into: the first chunk whose partition is not held, and the
// chunks for the same partition that fit, in the order in which they came.
func (q *queue) take(into []*chunk, all bool) []*chunk {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !all && !q.ripe() {
		return into
	}
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
			rest, full = append(rest, c), true // and nothing behind it: a partition keeps its order
			continue
		}
		bytes += c.size()
		records += c.count
		into = append(into, c)
	}
	q.took(len(into), records)
	q.replace(rest)
	return into
}

// first returns the index of the first chunk whose partition is not held; −1: there is none.
func (q *queue) first() int {
	for i, c := range q.chunks {
		if q.held == nil || c.partition < 0 || !q.held(c.partition) {
			return i
		}
	}
	return -1
}

// expire finishes the chunks whose requests were answered while they waited, so that their bytes do not count as in
// flight.
func (q *queue) expire(f *flow, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	rest := q.chunks[:0]
	for _, c := range q.chunks {
		if now.Before(c.deadline) {
			rest = append(rest, c)
		} else {
			c.finish(f, ErrDeadline)
		}
	}
	q.replace(rest)
}

// replace makes rest, which lies at the front of the same memory, the queue. It clears the memory behind rest, so that
// chunks that were taken are not kept alive, and wakes another lane for rest.
func (q *queue) replace(rest []*chunk) {
	clear(q.chunks[len(rest):])
	q.chunks = rest
	q.waiting = 0
	for _, c := range rest {
		q.waiting += c.count
	}
	q.call()
}

func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.chunks) == 0
}
