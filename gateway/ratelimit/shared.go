package ratelimit

import (
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// leasePart is the part of a limit that all gateways together may hold in advance. This much more than the limit
	// may pass at once.
	leasePart = 0.01
	// A lease that was used up within leaseBusy is too small. One that lasted longer than leaseCalm is too large.
	leaseBusy = 50 * time.Millisecond
	leaseCalm = 200 * time.Millisecond
	// leaseIdle is how long a gateway keeps a lease that nothing uses.
	leaseIdle = time.Second
	// heardFor is how long the store's answer that a bucket is empty holds. Other gateways may return events to the
	// bucket.
	heardFor = time.Second
)

// sharedLimit is one project's bucket in the limit store, as one gateway sees it. It implements sharedBucket.
//
// The gateway takes a small part of the bucket in advance, the lease. Most requests are served from the lease without
// asking the store. The others wait, and the store's loop asks for all of them together.
//
// When the store has answered that the bucket is empty, the gateway refuses requests without asking until a token
// must have come. Then it lets only as many requests ask as there can be tokens.
type sharedLimit struct {
	store  *Store
	key    string
	events int64
	window time.Duration

	queued queued // the queue's lock guards it

	mu      sync.Mutex
	lease   int // events that the store has charged and that have not passed yet
	target  int // size that the lease should have
	asked   time.Time
	used    time.Time // last use of the lease
	bucket  estimate  // what the store holds, without the lease
	heard   time.Time // of the store's last answer; zero: none yet
	scarce  bool      // the store could not give all that was asked for
	waiting []*waiter
	tracked bool
	share   *share // while the store is away or does not answer in time
}

// waiter is a request that waits for the store.
type waiter struct {
	need     int
	all      bool // all or nothing
	sent     bool
	answered bool
	gone     bool // the request no longer waits
	got      int
	done     chan struct{} // closed once answered, or when the gateway must decide
}

func newSharedLimit(store *Store, key string, events int64, window time.Duration) *sharedLimit {
	l := &sharedLimit{store: store, key: key, events: events, window: window, target: 1}
	l.bucket = estimate{level: float64(events), full: float64(events), perSecond: float64(events) / window.Seconds()}
	return l
}

// take implements sharedBucket.
func (l *sharedLimit) take(n int, now time.Time) int { return l.charge(n, false, now) }

// takeAll implements sharedBucket.
func (l *sharedLimit) takeAll(n int, now time.Time) bool { return l.charge(n, true, now) == n }

// charge charges up to n events or, with all, n events or none.
func (l *sharedLimit) charge(n int, all bool, now time.Time) int {
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
		held += l.decide(rest, all, now)
	case l.worthAsking(rest, all, now):
		held += l.await(&waiter{need: rest, all: all, done: make(chan struct{})}, now)
	}
	if all && held < n {
		l.lease += held
		held = 0
	}
	return held
}

// track makes the store's loop look after this limit until maintain returns false.
func (l *sharedLimit) track() {
	if !l.tracked {
		l.tracked = true
		l.store.queue.track(l)
	}
}

// await queues for the store and returns how many events it charged. If the store does not answer in time, this
// gateway decides. The lock is free while it waits.
func (l *sharedLimit) await(w *waiter, now time.Time) int {
	l.waiting = append(l.waiting, w)
	l.store.queue.want(l, l.scarce)
	l.mu.Unlock()
	l.store.wait(w.done)
	l.mu.Lock()
	if w.answered {
		return w.got
	}
	w.gone = true
	l.waiting = slices.DeleteFunc(l.waiting, func(other *waiter) bool { return other == w })
	if !l.store.away() {
		l.store.queue.want(l, false) // the next exchange charges the store for what passes now
	}
	return l.decide(w.need, w.all, now)
}

// decide charges this gateway's share without asking the store.
func (l *sharedLimit) decide(n int, all bool, now time.Time) int {
	if l.share == nil {
		l.share = newShare(&l.bucket, l.store.Gateways(), now)
	}
	return l.share.take(n, all, now)
}

// worthAsking reports whether the store may have something for n more events, after the requests that wait already.
func (l *sharedLimit) worthAsking(n int, all bool, now time.Time) bool {
	if l.stale(now) {
		return true
	}
	level := l.bucket.now(now)
	for _, w := range l.waiting {
		level -= float64(w.need)
	}
	if all {
		return wholeEvents(level) >= n
	}
	return wholeEvents(level) >= 1
}

// stale reports whether the store's last answer is too old to refuse a request.
func (l *sharedLimit) stale(now time.Time) bool {
	return l.heard.IsZero() || now.Sub(l.heard) >= heardFor
}

// prefetch asks for more before the lease is used up, unless the bucket was empty.
func (l *sharedLimit) prefetch(now time.Time) {
	enough := l.lease > l.target/2
	if enough || l.scarce || l.store.away() || l.maxLease() == 0 || !l.worthAsking(1, false, now) {
		return
	}
	l.store.queue.want(l, false)
}

// maxLease returns the largest lease. It is 0 for small limits, which ask for every request.
func (l *sharedLimit) maxLease() int {
	return int(float64(l.events) * leasePart / float64(max(1, l.store.Gateways())))
}

// refund implements sharedBucket. The next exchange returns to the store what exceeds the largest lease.
func (l *sharedLimit) refund(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.share != nil {
		n = l.share.refund(n)
	}
	l.lease += n
	if l.lease > l.maxLease() && !l.store.away() {
		l.store.queue.want(l, false)
	}
}

// snapshot implements sharedBucket.
func (l *sharedLimit) snapshot(now time.Time) snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.store.away() {
		s := l.share
		if s == nil {
			s = newShare(&l.bucket, l.store.Gateways(), now)
		}
		return snapshot{level: min(s.full, s.now(now)+float64(l.lease)), full: s.full, perSecond: s.perSecond}
	}
	level := math.Min(l.bucket.full, l.bucket.now(now)+float64(l.lease))
	if level < 1 && l.stale(now) {
		level = 1 // unknown: let the next request ask
	}
	return snapshot{level: level, full: l.bucket.full, perSecond: l.bucket.perSecond}
}
