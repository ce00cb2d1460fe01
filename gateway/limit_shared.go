package gateway

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// leasePart is which part of a limit all gateways together may hold in advance, and so by how much more than the limit
	// may pass at once.
	leasePart = 0.01
	// leaseBusy and leaseCalm: a lease that was used up within the first is too small, one that lasted the second too large.
	leaseBusy = 50 * time.Millisecond
	leaseCalm = 200 * time.Millisecond
	// leaseIdle is how long a lease that nobody uses is kept.
	leaseIdle = time.Second
	// heardFor is how long an empty bucket is taken for empty on the store's word: other gateways may have given back.
	heardFor = time.Second
	// storeWait is how long a request waits for the store before its gateway decides.
	storeWait = 50 * time.Millisecond
)

// sharedLimit is one project's bucket in the limit store as one gateway sees it.
//
// A small part of the bucket, the lease, is taken in advance and serves most requests without asking. Requests that it does
// not suffice for queue up and are asked for together, by the store's loop. When the store said that the bucket is empty,
// requests are refused on its word until a token must have come; for each of those only as many ask as there can be tokens.
type sharedLimit struct {
	store  *limitStore
	key    string
	events int64
	window time.Duration

	queued queued // under the store's lock

	mu      sync.Mutex
	lease   int // events that the store was charged for and that have not passed yet
	target  int // how large the lease should be
	asked   time.Time
	used    time.Time // when the lease last served
	bucket  filling   // what the store has, apart from the lease
	heard   time.Time // when it said so; zero: never
	scarce  bool      // it could not give all that was asked for
	waiting []*waiter
	tracked bool
	share   *share // while the store is away or does not answer in time
}

// waiter is a request that waits for the store.
type waiter struct {
	need     int
	all      bool
	sent     bool
	answered bool
	gone     bool // it waits no longer
	got      int
	done     chan struct{} // closed when it is answered, or when the gateway has to decide
}

func newSharedLimit(store *limitStore, key string, events int64, window time.Duration) *sharedLimit {
	l := &sharedLimit{store: store, key: key, events: events, window: window, target: 1}
	l.bucket = filling{level: float64(events), full: float64(events), perSecond: float64(events) / window.Seconds()}
	return l
}

// take is part of sharedBucket.
func (l *sharedLimit) take(n int, now time.Time) int { return l.ask(n, false, now) }

// takeAll is part of sharedBucket.
func (l *sharedLimit) takeAll(n int, now time.Time) bool { return l.ask(n, true, now) == n }

// ask charges up to n events, or all of them or none.
func (l *sharedLimit) ask(n int, all bool, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.track()
	held := min(n, l.lease)
	l.lease -= held
	if held > 0 {
		l.used = now
	}
	switch rest := n - held; {
	case rest == 0:
		l.prefetch(now)
	case l.store.away():
		held += l.alone(rest, all, now)
	case l.worthAsking(rest, all, now):
		held += l.wait(&waiter{need: rest, all: all, done: make(chan struct{})}, now)
	}
	if all && held < n {
		l.lease += held
		held = 0
	}
	return held
}

// track makes the loop look after this limit until nothing is left to do.
func (l *sharedLimit) track() {
	if !l.tracked {
		l.tracked = true
		l.store.track(l)
	}
}

// wait queues for the store and returns what came of it. If nothing did in time, this gateway decides.
func (l *sharedLimit) wait(w *waiter, now time.Time) int {
	l.waiting = append(l.waiting, w)
	l.store.want(l, l.scarce)
	l.mu.Unlock()
	l.store.wait(w.done)
	l.mu.Lock()
	if w.answered {
		return w.got
	}
	w.gone = true
	l.waiting = slices.DeleteFunc(l.waiting, func(other *waiter) bool { return other == w })
	if !l.store.away() {
		l.store.want(l, false) // what passes now is charged later
	}
	return l.alone(w.need, w.all, now)
}

// alone decides without the store.
func (l *sharedLimit) alone(n int, all bool, now time.Time) int {
	if l.share == nil {
		l.share = newShare(&l.bucket, l.store.gateways(), now)
	}
	return l.share.take(n, all, now)
}

// worthAsking says whether the store can have something for n more events, after those who wait already.
func (l *sharedLimit) worthAsking(n int, all bool, now time.Time) bool {
	if l.stale(now) {
		return true
	}
	level := l.bucket.now(now)
	for _, w := range l.waiting {
		level -= float64(w.need)
	}
	if all {
		return whole(level) >= n
	}
	return whole(level) >= 1
}

func (l *sharedLimit) stale(now time.Time) bool {
	return l.heard.IsZero() || now.Sub(l.heard) >= heardFor
}

// prefetch asks for more before the lease is used up, while there is no shortage.
func (l *sharedLimit) prefetch(now time.Time) {
	if l.lease > l.target/2 || l.scarce || l.store.away() || l.most() == 0 || !l.worthAsking(1, false, now) {
		return
	}
	l.store.want(l, false)
}

// most is how large a lease may be. Small limits have none: every request asks.
func (l *sharedLimit) most() int {
	return int(float64(l.events) * leasePart / float64(max(1, l.store.gateways())))
}

// refund is part of sharedBucket. What the lease has no room for goes back to the store.
func (l *sharedLimit) refund(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.share != nil {
		n = l.share.refund(n)
	}
	l.lease += n
	if l.lease > l.most() && !l.store.away() {
		l.store.want(l, false)
	}
}

// standing is part of sharedBucket.
func (l *sharedLimit) standing(now time.Time) standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store.away() {
		s := l.share
		if s == nil {
			s = newShare(&l.bucket, l.store.gateways(), now)
		}
		return standing{level: min(s.full, s.now(now)+float64(l.lease)), full: s.full, perSecond: s.perSecond}
	}
	level := math.Min(l.bucket.full, l.bucket.now(now)+float64(l.lease))
	if level < 1 && l.stale(now) {
		level = 1 // nobody knows: let the next request ask
	}
	return standing{level: level, full: l.bucket.full, perSecond: l.bucket.perSecond}
}
