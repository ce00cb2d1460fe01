package publish

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueStands is how long more than a batch must have waited all the time to count as a queue that does not empty.
	queueStands = 100 * time.Millisecond
	// paceWindow is the time over which Kafka's pace is taken. Batches are acknowledged in lumps of up to maxBatchBytes.
	paceWindow = time.Second
	// waitAge is how long an estimate holds, so that a flood of requests does not compute it each.
	waitAge = 10 * time.Millisecond
)

// queueWait estimates how long what comes now would wait for Kafka. A request that waits until its time is up has cost as much
// as one that is answered, for nothing; so the queue is kept as short as Kafka is fast.
//
// What fits into one batch goes with the next request, however slow they are, and is no queue. Where nothing was acknowledged
// there is nothing to reckon with: Kafka may be about to elect a leader. Bytes are bounded then by --max-inflight-bytes, and
// time by what the publisher knows about outages.
type queueWait struct {
	most  time.Duration // 0: no bound
	start time.Time
	acked atomic.Int64 // bytes that Kafka has acknowledged

	checked atomic.Int64 // ns since start, of the last estimate
	tooLong atomic.Bool  // what it said

	mu    sync.Mutex
	marks []paceMark // since the queue last was empty, at most a window back; the first is what the pace is taken from
}

// paceMark is how much was acknowledged by a time.
type paceMark struct {
	at    time.Time
	acked int64
}

// exceeds says whether that many bytes, which wait now, would take longer than the bound.
func (w *queueWait) exceeds(bytes int64, now paceMark) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if bytes <= maxBatchBytes {
		w.marks = w.marks[:0]
		return false
	}
	if n := len(w.marks); n == 0 || now.at.Sub(w.marks[n-1].at) >= queueStands {
		w.marks = append(w.marks, now)
	}
	for len(w.marks) > 1 && now.at.Sub(w.marks[1].at) >= paceWindow {
		w.marks = append(w.marks[:0], w.marks[1:]...)
	}
	took, acked := now.at.Sub(w.marks[0].at), now.acked-w.marks[0].acked
	if took < queueStands || acked <= 0 {
		return false
	}
	return float64(bytes)/float64(acked)*float64(took) > float64(w.most)
}

// Congested says whether a request that is about to be read had better not be.
func (p *Publisher) Congested() bool {
	w := &p.wait
	if w.most == 0 || p.detour.spool != nil && p.outage.failing() {
		return false // what Kafka does not take goes to the spool, which has bounds of its own
	}
	now := time.Now()
	at, last := now.Sub(w.start).Nanoseconds(), w.checked.Load()
	if at-last < int64(waitAge) || !w.checked.CompareAndSwap(last, at) {
		return w.tooLong.Load()
	}
	tooLong := w.exceeds(p.inflight.Load(), paceMark{now, w.acked.Load()}) && !p.idle()
	w.tooLong.Store(tooLong)
	return tooLong
}

// idle says whether some lane has nothing queued of its own although records have keys: one stuck partition must not close
// the door to all. Which partition a request is for is not known before it is read.
func (p *Publisher) idle() bool {
	idle, keyed := false, false
	for _, l := range p.lanes {
		if l.shares() {
			empty := l.own.empty()
			idle, keyed = idle || empty, keyed || !empty
		}
	}
	return keyed && idle
}
