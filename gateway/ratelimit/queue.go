package ratelimit

import (
	"slices"
	"sync"
)

// storeBatch is how many limits are part of one exchange.
const storeBatch = 256

// queued is where in a storeQueue a limit is.
type queued uint8

const (
	queuedNot queued = iota
	queuedLater
	queuedNow
)

// storeQueue holds the limits that the store's loop has work for. Safe for concurrent use.
type storeQueue struct {
	wake chan struct{} // has room for one; a value tells the loop that the queue changed

	mu      sync.Mutex
	ready   []*sharedLimit // for the next exchange
	later   []*sharedLimit // for the exchange after the pause
	tracked []*sharedLimit // for the loop's tick, until they have nothing left to do
}

// want queues a limit for the next exchange, or for the one after the pause.
func (q *storeQueue) want(l *sharedLimit, afterPause bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case l.queued == queuedNow || l.queued == queuedLater && afterPause:
		return
	case afterPause:
		l.queued = queuedLater
		q.later = append(q.later, l)
	default:
		l.queued = queuedNow
		q.ready = append(q.ready, l)
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// pausing reports whether a limit waits for the end of the pause.
func (q *storeQueue) pausing() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.later) > 0
}

// resume moves the limits that waited for the end of the pause to the next exchange.
func (q *storeQueue) resume() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range q.later {
		if l.queued == queuedLater {
			l.queued = queuedNow
			q.ready = append(q.ready, l)
		}
	}
	clear(q.later)
	q.later = q.later[:0]
}

// next removes and returns the limits of the next exchange.
func (q *storeQueue) next() []*sharedLimit {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.ready), storeBatch)
	batch := slices.Clone(q.ready[:n])
	for _, l := range batch {
		l.queued = queuedNot
	}
	rest := copy(q.ready, q.ready[n:])
	clear(q.ready[rest:])
	q.ready = q.ready[:rest]
	return batch
}

// clear empties the queue, but for the tracked limits.
func (q *storeQueue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, l := range slices.Concat(q.ready, q.later) {
		l.queued = queuedNot
	}
	q.ready, q.later = nil, nil
}

// track adds a limit to the tracked ones.
func (q *storeQueue) track(l *sharedLimit) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tracked = append(q.tracked, l)
}

// all returns the tracked limits.
func (q *storeQueue) all() []*sharedLimit {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.tracked)
}

// filter stops to track the limits for which keep returns false. keep runs without the queue's lock, so it may call
// the queue.
func (q *storeQueue) filter(keep func(*sharedLimit) bool) {
	q.mu.Lock()
	all := q.tracked
	q.tracked = nil
	q.mu.Unlock()
	kept := all[:0]
	for _, l := range all {
		if keep(l) {
			kept = append(kept, l)
		}
	}
	clear(all[len(kept):])
	q.mu.Lock()
	q.tracked = append(kept, q.tracked...)
	q.mu.Unlock()
}
