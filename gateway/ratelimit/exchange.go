package ratelimit

import "time"

// inquiry is what one sharedLimit asks of the store in one exchange: one operation for all requests that take what
// they get, then one for each request that takes all or nothing.
type inquiry struct {
	limit *sharedLimit
	ops   []storeOp
	all   []*waiter // ops[1:] are for them
	used  int       // of the share; the charge reports it
}

// collect returns the limit's next inquiry, and false if there is nothing to ask. The loop calls deliver or abandon
// before the next collect. lost says that the store has lost its data: the charge is then what a full bucket lacks.
func (l *sharedLimit) collect(lost bool, now time.Time) (q inquiry, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	q.limit = l
	first := l.op()
	first.give = l.excess(now)
	l.lease -= first.give
	for _, w := range l.waiting {
		w.sent = true
		if w.all {
			op := l.op()
			op.want, op.all = w.need, true
			q.ops, q.all = append(q.ops, op), append(q.all, w)
		} else {
			first.want += w.need
		}
	}
	if lost && l.share == nil {
		l.share = newShare(&l.bucket, l.store.Gateways(), now)
	}
	if l.share != nil {
		first.charge, q.used = l.share.unreported(lost, now), l.share.used
	}
	// The lease does not compete with requests that need all of their events.
	if first.give == 0 && len(q.all) == 0 && l.worthGrowing(now) {
		l.resize(now)
		first.want += max(0, l.target-l.lease)
	}
	q.ops = append([]storeOp{first}, q.ops...)
	return q, first.want > 0 || first.give > 0 || l.share != nil || len(q.all) > 0
}

// giveBack returns the operation that returns the whole lease.
func (l *sharedLimit) giveBack() storeOp {
	l.mu.Lock()
	defer l.mu.Unlock()
	op := l.op()
	op.give, l.lease = l.lease, 0
	return op
}

func (l *sharedLimit) op() storeOp {
	return storeOp{key: l.key, events: l.events, window: l.window}
}

// excess returns how much of the lease goes back: all of an idle lease, and what exceeds the largest one.
func (l *sharedLimit) excess(now time.Time) int {
	if len(l.waiting) == 0 && now.Sub(l.used) >= leaseIdle {
		return l.lease
	}
	return max(0, l.lease-l.maxLease())
}

// worthGrowing reports whether the lease should grow: it is in use, at most half of it is left, and the bucket was
// not empty.
func (l *sharedLimit) worthGrowing(now time.Time) bool {
	return l.lease <= l.target/2 && !l.scarce && !l.store.away() && now.Sub(l.used) < leaseIdle
}

// resize sets the size of the lease to what some tens of milliseconds of requests need.
func (l *sharedLimit) resize(now time.Time) {
	switch since := now.Sub(l.asked); {
	case since < leaseBusy:
		l.target *= 2
	case since > leaseCalm:
		l.target /= 2
	}
	l.target = min(max(1, l.target), l.maxLease())
	l.asked = now
}

// deliver distributes what the store gave: first to the requests of the inquiry, in order, then to later ones that
// the rest suffices for. The rest is the lease.
func (l *sharedLimit) deliver(q *inquiry, answers []storeAnswer, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := answers[0]
	for i, w := range q.all {
		if got := answers[1+i].got; w.gone {
			l.lease += got
		} else {
			w.answer(got)
		}
	}
	l.lease += first.got
	l.scarce = first.got < q.ops[0].want
	l.bucket.level, l.bucket.at, l.heard = answers[len(answers)-1].level, now, now
	l.reported(q.used)
	rest := l.waiting[:0]
	for _, w := range l.waiting {
		switch {
		case w.answered:
		case w.sent || w.need <= l.lease:
			got := min(w.need, l.lease)
			l.lease -= got
			l.used = now
			w.answer(got)
		default:
			rest = append(rest, w)
		}
	}
	clear(l.waiting[len(rest):])
	if l.waiting = rest; len(rest) > 0 {
		l.store.queue.want(l, l.scarce)
	}
}

// reported notes that the store has charged so many events of the share. The share ends once nothing is left to
// report and the store is connected.
func (l *sharedLimit) reported(used int) {
	if l.share == nil {
		return
	}
	l.share.used = max(0, l.share.used-used)
	switch {
	case l.store.away(): // the share still applies
	case l.share.used == 0:
		l.share = nil
	default:
		l.store.queue.want(l, false)
	}
}

// maintain queues an idle lease, which then goes back to the store. It returns false, and the limit is no longer
// tracked, when nothing is left to do: the bucket is full and all of it is in the store.
func (l *sharedLimit) maintain(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lease > 0 && now.Sub(l.used) >= leaseIdle && !l.store.away() {
		l.store.queue.want(l, false)
	}
	l.tracked = l.lease > 0 || len(l.waiting) > 0 || l.share != nil || l.bucket.now(now) < l.bucket.full
	return l.tracked
}

// abandon lets the waiting requests decide for themselves, because the store does not answer. What the inquiry gave
// back is lost: it may have arrived.
func (l *sharedLimit) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.waiting {
		close(w.done)
	}
	l.waiting = nil
}

// answer ends the wait of a request that got so many events.
func (w *waiter) answer(got int) {
	w.got, w.answered = got, true
	close(w.done)
}
