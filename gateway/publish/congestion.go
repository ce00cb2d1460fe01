package publish

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// queueStands is how long more than a batch must have waited without a break to count as a queue.
	queueStands = 100 * time.Millisecond
	// paceWindow is the time over which Kafka's pace is measured. Batches are acknowledged in lumps of up to
	// maxBatchBytes.
	paceWindow = time.Second
	// estimateAge is how long an estimate holds, so that a flood of requests does not compute it for each.
	estimateAge = 10 * time.Millisecond
)

// congestion estimates how long a new request would wait for Kafka. A request that waits until its deadline costs as
// much as one that is answered, for nothing. So the queue is kept as short as Kafka is fast.
//
// Bytes that fit into one batch leave with the next produce request, however slow Kafka is: they are no queue. While
// Kafka acknowledges nothing there is no pace to estimate from: it may be about to elect a leader. MaxInflightBytes
// bounds the bytes then, and the outage bounds the time.
type congestion struct {
	most  time.Duration // 0: no bound
	start time.Time

	estimated atomic.Int64 // when, in ns since start
	tooLong   atomic.Bool  // the estimate

	mu    sync.Mutex
	marks []paceMark // since the queue was last empty, at most a window back; the pace is measured from the first
}

// paceMark is how many bytes were acknowledged by a time.
type paceMark struct {
	at    time.Time
	acked int64
}

// exceeds reports whether bytes that wait now would take longer than the bound.
func (c *congestion) exceeds(bytes int64, now paceMark) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes <= maxBatchBytes {
		c.marks = c.marks[:0]
		return false
	}
	if n := len(c.marks); n == 0 || now.at.Sub(c.marks[n-1].at) >= queueStands {
		c.marks = append(c.marks, now)
	}
	for len(c.marks) > 1 && now.at.Sub(c.marks[1].at) >= paceWindow {
		c.marks = append(c.marks[:0], c.marks[1:]...)
	}
	took, acked := now.at.Sub(c.marks[0].at), now.acked-c.marks[0].acked
	if took < queueStands || acked <= 0 {
		return false
	}
	return float64(bytes)/float64(acked)*float64(took) > float64(c.most)
}
