package publish

import "time"

const (
	// gatherFor is the longest time that records wait for others.
	gatherFor = time.Millisecond
	// gatherFrom is how many requests must come in gatherFor on average, for records to wait at all. The average is
	// over gatherLook or longer.
	gatherFrom = 16
	gatherLook = 8 * gatherFor
	// gatherMost is how many records are enough for a batch.
	gatherMost = 64
)

// gathering makes batches larger under load: while a batch is under way, records wait for others until they are
// gatherMost, or for gatherFor. A batch costs gateway and brokers about as much as ten records, so few large ones leave
// more of the processors for requests.
//
// When few requests come, nothing waits. That also ends the waiting where it does harm: a few clients that each wait for
// an answer before they send again send less than before.
//
// It is part of a queue, whose lock guards it.
type gathering struct {
	timer    *time.Timer // nil: nothing waits
	timed    bool        // the timer runs
	due      bool        // the oldest record has waited for gatherFor
	waiting  int         // records in the queue
	underway int         // records that lanes have taken and that have no outcome yet

	busy    bool // many requests come
	since   time.Time
	counted int // requests that lanes have taken since then
}

// gather makes the records of a queue wait for others.
func (q *queue) gather() {
	q.timer = time.AfterFunc(time.Hour, q.gathered)
	q.timer.Stop()
}

// ripe reports whether a lane may take a batch now.
func (g *gathering) ripe() bool {
	return !g.busy || g.underway == 0 || g.waiting >= gatherMost || g.due
}

// call wakes a lane if there is a batch for it, or sees to it that one is woken in time. The queue is locked.
func (q *queue) call() {
	switch {
	case len(q.chunks) == 0:
	case q.ripe():
		q.signal()
	case !q.timed:
		q.timed = true
		q.timer.Reset(gatherFor)
	}
}

// gathered is called when the oldest record has waited for gatherFor.
func (q *queue) gathered() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.timed = false
	q.due = len(q.chunks) > 0
	q.call()
}

// took notes that a lane has taken a batch.
func (g *gathering) took(requests, records int) {
	if g.timer == nil {
		return
	}
	g.due = false
	g.underway += records
	if g.timed {
		g.timed = !g.timer.Stop()
	}
	g.counted += requests
	now := time.Now()
	if looked := now.Sub(g.since); looked >= gatherLook {
		g.busy = g.counted >= int(looked/gatherFor)*gatherFrom
		g.since, g.counted = now, 0
	}
}

// finished notes that a batch of so many records has its outcome. The lane that had it looks for the next one itself.
func (q *queue) finished(records int) {
	q.mu.Lock()
	q.underway -= records
	q.mu.Unlock()
}
