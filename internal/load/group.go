package load

import (
	"strconv"
	"time"
)

// group is the events of one request: those of a claim that are sent in the same way.
type group struct {
	way    way
	events []int64
}

// split divides the events from..to-1 into groups.
func (w *worker) split(from, to int64) {
	for i := range w.groups {
		w.groups[i].events = w.groups[i].events[:0]
	}
	n := 0
next:
	for index := from; index < to; index++ {
		way := w.gen.way(index)
		for i := range n {
			if w.groups[i].way == way {
				w.groups[i].events = append(w.groups[i].events, index)
				continue next
			}
		}
		if n == len(w.groups) {
			w.groups = append(w.groups, group{})
		}
		w.groups[n].way = way
		w.groups[n].events = append(w.groups[n].events, index)
		n++
	}
	w.groups = w.groups[:n]
}

// mark sets the headers of the pending events' way.
func (w *worker) mark() {
	h := &w.exchange.req.Header
	h.Del(headerKey)
	h.Del(headerSentAt)
	if w.way.whole {
		h.Set(headerKey, "load-"+w.gen.name()+"-"+strconv.FormatInt(w.pending[0], 10))
	}
	if w.way.skew != 0 {
		h.Set(headerSentAt, strconv.FormatInt(time.Now().Add(w.way.skew).UnixMilli(), 10))
	}
}

const (
	headerKey    = "Idempotency-Key"
	headerSentAt = "X-Sent-At"
)
