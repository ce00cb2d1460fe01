package publish

import "time"

// A broker that answers late holds up every batch that is sent to it, and soon all lanes, since each comes to its
// partitions in turn. So batches that may go to any partition avoid a broker that is much slower than the fastest, as
// KIP-794 has it for Kafka's own producer: there a partition gets the less, the more waits for it. A lane has one
// batch on its way, so here the answers' time alone decides.
const (
	// latencyWeight is the share of the last answer in a broker's mean latency.
	latencyWeight = 0.25
	// A broker is slow if its mean latency is more than slowTimes that of the fastest and slowMargin more. The margin
	// is above what batches of different sizes take on a busy disk.
	slowTimes  = 4
	slowMargin = 50 * time.Millisecond
	// latencyKept is how long a latency counts as that of the fastest. With little traffic a broker gets a batch every
	// few seconds.
	latencyKept = 10 * time.Second
	// A slow broker gets a batch on trial after slowFirst. After each trial that was slow as well the pause doubles, to
	// slowMost at most.
	slowFirst = 2 * time.Second
	slowMost  = 30 * time.Second
)

// latency is how soon a broker acknowledges batches.
type latency struct {
	mean  time.Duration
	at    time.Time     // of the last answer
	until time.Time     // until when the broker counts as slow and gets no trial; zero: it is not slow
	pause time.Duration // before the next trial
	trial bool          // a batch on trial is on its way
	ended time.Time     // when it was slow last
}

func (y *latency) slow() bool { return !y.until.IsZero() }

// took takes into account how long a broker's answer took. The caller holds the lock.
func (l *leaders) took(id int32, d time.Duration, now time.Time) {
	if id < 0 {
		return
	}
	y := l.latencies[id]
	switch {
	case y == nil:
		y = &latency{mean: d}
		l.latencies[id] = y
	case y.slow():
		y.mean = d // one answer in time ends it
	default:
		y.mean += time.Duration(latencyWeight * float64(d-y.mean))
	}
	y.at = now
	switch was := y.slow(); {
	case y.mean <= l.slowAbove(id, now):
		if was {
			y.until, y.trial, y.ended = time.Time{}, false, now
			l.update(now)
		}
	case !was || y.trial:
		if !was && now.Sub(y.ended) > slowMost {
			y.pause = 0
		}
		y.pause = min(max(slowFirst, 2*y.pause), slowMost)
		y.until, y.trial = now.Add(y.pause), false
		l.any.Store(true)
	}
}

// slowAbove returns the mean latency above which a broker is slow: the other brokers are faster.
func (l *leaders) slowAbove(id int32, now time.Time) time.Duration {
	fastest := time.Duration(-1)
	for other, y := range l.latencies {
		if other != id && !l.silent[other] && now.Sub(y.at) <= latencyKept && (fastest < 0 || y.mean < fastest) {
			fastest = y.mean
		}
	}
	if fastest < 0 {
		return time.Hour // there is none to compare with
	}
	return slowTimes*fastest + slowMargin
}

// choose returns the first of n partitions whose leader answers in time. The second result is false if there is none.
// A slow broker whose pause is over counts as one that answers in time, for one batch.
func (l *leaders) choose(n int, partition func(i int) int, now time.Time) (i int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range n {
		p := partition(i)
		if l.avoided(p, now) {
			continue
		}
		y := l.latencies[l.leader(p)]
		if y == nil || !y.slow() {
			return i, true
		}
		if now.After(y.until) {
			y.trial, y.until = true, now.Add(y.pause)
			return i, true
		}
	}
	return 0, false
}

// chooseLate returns the first of n partitions whose leader answers at all. The second result is false if there is none.
func (l *leaders) chooseLate(n int, partition func(i int) int, now time.Time) (i int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range n {
		if !l.avoided(partition(i), now) {
			return i, true
		}
	}
	return 0, false
}
