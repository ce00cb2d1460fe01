package hands

import "sync"

// Hands work off the items of one queue, in the order in which they come, several at a time. They are safe for
// concurrent use.
type Hands[T any] struct {
	work func(hand int, item T)

	running sync.WaitGroup
	mu      sync.Mutex
	waiting []T
	free    []int // the hands that are not at work
}

// New makes hands that call work with an item, and with the number of the hand, from 0. Each of them deals with one
// item at a time. There are at most most of them.
func New[T any](most int, work func(hand int, item T)) *Hands[T] {
	h := &Hands[T]{work: work}
	for hand := most - 1; hand >= 0; hand-- {
		h.free = append(h.free, hand)
	}
	return h
}

// Put adds an item. It does not wait. Nothing may be put while another goroutine is in Wait, but by work itself.
func (h *Hands[T]) Put(item T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.free) == 0 {
		h.waiting = append(h.waiting, item)
		return
	}
	hand := h.free[len(h.free)-1]
	h.free = h.free[:len(h.free)-1]
	h.running.Go(func() { h.run(hand, item) })
}

// Wait returns once everything is worked off.
func (h *Hands[T]) Wait() { h.running.Wait() }

func (h *Hands[T]) run(hand int, item T) {
	for more := true; more; item, more = h.next(hand) {
		h.work(hand, item)
	}
}

// next is the item that has waited longest. If there is none the hand is free.
func (h *Hands[T]) next(hand int) (item T, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.waiting) == 0 {
		h.free = append(h.free, hand)
		return item, false
	}
	item = h.waiting[0]
	var none T
	h.waiting[0] = none
	h.waiting = h.waiting[1:]
	if len(h.waiting) == 0 {
		h.waiting = nil
	}
	return item, true
}
