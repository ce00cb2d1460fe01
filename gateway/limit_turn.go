package gateway

import "time"

// turn is what one sharedLimit asks of the store in one exchange: first for those who take what there is, together, then for
// each of those who take all or nothing.
type turn struct {
	limit *sharedLimit
	ops   []storeOp
	whole []*waiter // ops[1:] are theirs
	used  int       // what the charge settles
}

// collect makes the turn; ok is false when there is nothing to ask. The loop delivers or abandons it before the next. After
// the store has lost its books it is told how much is missing from a full bucket.
func (l *sharedLimit) collect(lost bool, now time.Time) (t turn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.limit = l
	first := l.op()
	first.give = l.surplus(now)
	l.lease -= first.give
	for _, w := range l.waiting {
		w.sent = true
		if w.all {
			op := l.op()
			op.want, op.all = w.need, true
			t.ops, t.whole = append(t.ops, op), append(t.whole, w)
		} else {
			first.want += w.need
		}
	}
	if lost && l.share == nil {
		l.share = newShare(&l.bucket, l.store.gateways(), now)
	}
	if l.share != nil {
		first.charge, t.used = l.share.owed(lost, now), l.share.used
	}
	// Nothing is taken in advance from under those who need all of it.
	if first.give == 0 && len(t.whole) == 0 && l.short(now) {
		l.resize(now)
		first.want += max(0, l.target-l.lease)
	}
	t.ops = append([]storeOp{first}, t.ops...)
	return t, first.want > 0 || first.give > 0 || l.share != nil || len(t.whole) > 0
}

// giveBack is the operation that returns the whole lease.
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

// surplus is what of the lease goes back: all of it once nobody uses it, what is too much at any time.
func (l *sharedLimit) surplus(now time.Time) int {
	if len(l.waiting) == 0 && now.Sub(l.used) >= leaseIdle {
		return l.lease
	}
	if most := l.most(); l.lease > most {
		return l.lease - most
	}
	return 0
}

// short says whether the lease is worth making larger: it is in use and there is no shortage.
func (l *sharedLimit) short(now time.Time) bool {
	return l.lease <= l.target/2 && !l.scarce && !l.store.away() && now.Sub(l.used) < leaseIdle
}

// resize makes the lease as large as a few tens of milliseconds of what passes need.
func (l *sharedLimit) resize(now time.Time) {
	switch since := now.Sub(l.asked); {
	case since < leaseBusy:
		l.target *= 2
	case since > leaseCalm:
		l.target /= 2
	}
	l.target = min(max(1, l.target), l.most())
	l.asked = now
}

// deliver hands out what the store gave: first to those whom it was asked for, in order, then to those who came since and
// whom the rest suffices for; what is left is the lease.
func (l *sharedLimit) deliver(t *turn, answers []storeAnswer, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first := answers[0]
	for i, w := range t.whole {
		if got := answers[1+i].got; w.gone {
			l.lease += got
		} else {
			w.finish(got)
		}
	}
	l.lease += first.got
	l.scarce = first.got < t.ops[0].want
	l.bucket.level, l.bucket.at, l.heard = answers[len(answers)-1].level, now, now
	l.settle(t.used)
	rest := l.waiting[:0]
	for _, w := range l.waiting {
		switch {
		case w.answered:
		case w.sent || w.need <= l.lease:
			got := min(w.need, l.lease)
			l.lease -= got
			l.used = now
			w.finish(got)
		default:
			rest = append(rest, w)
		}
	}
	clear(l.waiting[len(rest):])
	if l.waiting = rest; len(rest) > 0 {
		l.store.want(l, l.scarce)
	}
}

// settle notes that the store knows of events that passed without it.
func (l *sharedLimit) settle(used int) {
	if l.share == nil {
		return
	}
	l.share.used = max(0, l.share.used-used)
	switch {
	case l.store.away(): // the share stays in force
	case l.share.used == 0:
		l.share = nil
	default:
		l.store.want(l, false)
	}
}

// look asks for what is to be done without a request: an idle lease goes back. It returns false, and the limit is no longer
// tracked, when nothing is left: the bucket is full and all of it is in the store.
func (l *sharedLimit) look(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lease > 0 && now.Sub(l.used) >= leaseIdle && !l.store.away() {
		l.store.want(l, false)
	}
	l.tracked = l.lease > 0 || len(l.waiting) > 0 || l.share != nil || l.bucket.now(now) < l.bucket.full
	return l.tracked
}

// abandon leaves the decision to those who wait: the store does not answer. What was to go back to it is lost, because it may
// have arrived.
func (l *sharedLimit) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.waiting {
		close(w.done)
	}
	l.waiting = nil
}

func (w *waiter) finish(got int) {
	w.got, w.answered = got, true
	close(w.done)
}
