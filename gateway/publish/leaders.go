package publish

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sluice/gateway/broker"
)

// These bounds keep the time without a 202 under 3 s when a broker dies or hangs while others lead partitions:
//
//	a broker that was killed: its connections are closed, which the producer sees before it writes the next batch.
//	  That batch and all later ones go elsewhere at once. A batch that was being written stays with its lane, and after
//	  stuckAfter a successor takes over the lane's work.
//	a broker that hangs: each lane loses stuckAfter with its first batch for the broker. From then on no batch goes
//	  there until the broker answers a probe, or another broker leads its partitions.
//
// So the longest time without a 202 is about stuckAfter and the successor's first request for a producer id. Kafka
// itself takes 9 s, the session of a broker, to elect a new leader. Only the batches whose fate is unknown wait for
// that.
const (
	// avoidFor is how long batches avoid a partition that did not take one, while there are others. It is longer than
	// the longest pause between two attempts, so that a partition stays avoided while a batch is stuck with it.
	avoidFor = lastBackoff*3/2 + 100*time.Millisecond
	// probeEvery is how often silent brokers are probed and the leaders are looked up, while any partition is avoided.
	probeEvery = 250 * time.Millisecond
	// probeTimeout bounds one probe. A broker that takes longer for the smallest request would hold batches up.
	probeTimeout = 500 * time.Millisecond
)

// leaders knows which partitions are to be avoided: those whose leader does not answer, or answers late, and those that
// just did not take a batch.
type leaders struct {
	any  atomic.Bool // whether any is avoided: the normal path looks no further
	wake chan struct{}

	mu     sync.Mutex
	of     []broker.Replicas
	silent map[int32]bool    // brokers that did not answer
	until  map[int]time.Time // until when partitions are avoided
	held   map[int]int       // partitions with a stuck batch that a key chose: how many

	latencies map[int32]*latency // of the brokers that have answered
}

func newLeaders() *leaders {
	return &leaders{
		wake: make(chan struct{}, 1), silent: map[int32]bool{}, until: map[int]time.Time{}, held: map[int]int{},
		latencies: map[int32]*latency{},
	}
}

// note takes into account how an attempt at a partition ended, and how long it took.
func (l *leaders) note(partition int, err error, took time.Duration, now time.Time) {
	if errors.Is(err, broker.ErrRefused) || errors.Is(err, broker.ErrProducerID) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.leader(partition)
	if err == nil {
		if l.any.Load() {
			delete(l.until, partition)
			delete(l.silent, id)
			l.update(now)
		}
		l.took(id, took, now)
		return
	}
	l.fail(partition, id, err, now)
}

// fail notes that a partition did not take a batch. The caller holds the lock.
func (l *leaders) fail(partition int, id int32, err error, now time.Time) {
	l.until[partition] = now.Add(avoidFor)
	if id >= 0 && !errors.Is(err, broker.ErrAnswered) {
		l.silent[id] = true
	}
	l.any.Store(true)
	select {
	case l.wake <- struct{}{}:
	default: // it has a token
	}
}

// hang notes that a partition's leader has not answered for so long.
func (l *leaders) hang(partition int, waited time.Duration, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.leader(partition)
	l.took(id, waited, now)
	l.fail(partition, id, context.DeadlineExceeded, now)
}

func (l *leaders) leader(partition int) int32 {
	if partition < 0 || partition >= len(l.of) {
		return -1
	}
	return l.of[partition].Leader
}

// update drops what has passed, and notes whether any partition is still avoided. The caller holds the lock.
func (l *leaders) update(now time.Time) {
	for p, until := range l.until {
		if now.After(until) {
			delete(l.until, p)
		}
	}
	some := len(l.silent)+len(l.until) > 0
	for _, y := range l.latencies {
		some = some || y.slow()
	}
	l.any.Store(some)
}

// unsettled reports whether some broker does not answer, or some partition did not take a batch.
func (l *leaders) unsettled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.silent)+len(l.until) > 0
}

// avoided reports whether a partition's leader does not answer, or the partition did not take a batch just now. The
// caller holds the lock.
func (l *leaders) avoided(partition int, now time.Time) bool {
	id := l.leader(partition)
	return now.Before(l.until[partition]) || l.silent[id] || id < 0 && partition < len(l.of)
}

// healthy reports whether any of n partitions need not be avoided.
func (l *leaders) healthy(n int, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range n {
		if !l.avoided(p, now) {
			return true
		}
	}
	return false
}

// hold keeps a partition's records in the queue while a batch before them is stuck: n is 1 to begin, −1 to end.
func (l *leaders) hold(partition, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[partition] += n; l.held[partition] == 0 {
		delete(l.held, partition)
	}
}

func (l *leaders) holds(partition int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[partition] > 0
}

// learn takes the partitions' brokers. A broker that leads a partition which it did not lead before has come back.
func (l *leaders) learn(of []broker.Replicas, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range of {
		if p < len(l.of) && l.of[p].Leader != of[p].Leader {
			delete(l.silent, of[p].Leader)
			delete(l.latencies, of[p].Leader)
			delete(l.until, p)
		}
	}
	l.of = of
	leads := func(b int32) bool {
		return slices.ContainsFunc(of, func(r broker.Replicas) bool { return r.Leader == b })
	}
	for b := range l.silent {
		if !leads(b) {
			delete(l.silent, b) // it leads nothing, so nothing is sent to it
		}
	}
	for b := range l.latencies {
		if !leads(b) {
			delete(l.latencies, b)
		}
	}
	l.update(now)
}

// answered notes that a broker gave a sign of life.
func (l *leaders) answered(id int32, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.silent, id)
	l.update(now)
}

// silentBrokers returns the brokers that do not answer.
func (l *leaders) silentBrokers() []int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	var brokers []int32
	for b := range l.silent {
		brokers = append(brokers, b)
	}
	return brokers
}
