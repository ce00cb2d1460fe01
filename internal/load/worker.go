package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sluice/internal/backoff"
)

// worker sends one batch at a time. It takes the next one after every event is settled.
type worker struct {
	*run
	exchange *exchange
	body     []byte
	pending  []int64
	outcome  outcome
	groups   []group
	way      way // of the pending events
}

// work returns after the last event or after ctx ended. It returns an error only if no request of the run can succeed.
func (w *worker) work(ctx context.Context) error {
	defer w.exchange.close()
	for ctx.Err() == nil {
		from, to, due, ok := w.source.claim()
		if !ok || !backoff.Sleep(ctx, time.Until(due)) {
			return nil
		}
		settled, err := w.deliver(ctx, from, to, due, false)
		if err != nil {
			return err
		}
		if settled && w.cfg.Repeat > 0 && rand.Float64() < w.cfg.Repeat {
			if _, err := w.deliver(ctx, from, to, time.Time{}, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// deliver sends the events from..to-1, the same bytes each time, until all are settled. settled is false if deliver
// gave up or ctx ended. due is the scheduled time of the first attempt; zero: now.
func (w *worker) deliver(ctx context.Context, from, to int64, due time.Time, repeat bool) (settled bool, err error) {
	settled = true
	w.split(from, to)
	for _, g := range w.groups {
		done, err := w.deliverGroup(ctx, g, due, repeat)
		if err != nil {
			return false, err
		}
		settled = settled && done
	}
	return settled, nil
}

// deliverGroup sends the events of one request.
func (w *worker) deliverGroup(ctx context.Context, g group, due time.Time, repeat bool) (settled bool, err error) {
	w.way = g.way
	w.pending = append(w.pending[:0], g.events...)
	first := time.Now()
	for attempt := 0; ; attempt++ {
		waited, err := w.gate.pass(ctx)
		if err != nil {
			return false, nil
		}
		sending := time.Now()
		if attempt == 0 && !due.IsZero() && !waited {
			sending = due // latency includes the wait for a late sender
		}
		if err := w.attempt(ctx, sending, attempt == 0, repeat); err != nil {
			return false, err
		}
		if len(w.pending) == 0 {
			return w.outcome.violation == "", nil
		}
		if w.exhausted(first) {
			return false, nil
		}
		if w.outcome.after > 0 {
			w.gate.hold(w.outcome.after)
		} else if !backoff.Sleep(ctx, retryWait(attempt)) {
			return false, nil
		}
	}
}

// attempt sends one request with the pending events, marks those that its answer settles, and keeps the others pending.
func (w *worker) attempt(ctx context.Context, sending time.Time, fresh, repeat bool) error {
	w.build()
	w.mark()
	w.tally.attempt(len(w.pending), len(w.body), fresh, repeat)
	answer, err := w.exchange.post(ctx, w.body)
	if err != nil {
		w.tally.lost(err)
		return w.unanswered(err)
	}
	took := time.Since(sending)
	judge(&w.outcome, w.gen, w.pending, w.cfg.Bulk > 1, answer)
	accepted, rejected := w.ledger.addEach(w.pending, w.outcome.marks)
	w.tally.answer(answer.status, took, &w.outcome, accepted, rejected)
	if err := w.pointless(answer); err != nil {
		return err
	}
	if !w.way.whole || len(w.outcome.again) == 0 {
		w.keep(w.outcome.again)
	}
	return nil
}

// unanswered handles a request without an answer: all its events stay pending.
func (w *worker) unanswered(err error) error {
	w.outcome.reset(len(w.pending))
	if !errors.Is(err, errNotSent) {
		w.outcome.all(maybe, true)
		w.ledger.addEach(w.pending, w.outcome.marks)
		return nil
	}
	if since, answered, _ := w.tally.silence(); !answered {
		if time.Since(since) > w.cfg.Connect {
			return fmt.Errorf("no gateway at %s: %w", w.cfg.URL, err)
		}
		w.once.Do(func() { w.progress.note("waiting for %s: %v", w.cfg.URL, err) })
	}
	return nil
}

// pointless returns an error for answers that every request of the run would get, because a setting is wrong.
func (w *worker) pointless(answer reply) error {
	if _, _, accepted := w.tally.silence(); accepted {
		return nil
	}
	switch answer.status {
	case 401:
		return fmt.Errorf("%s does not know this key (401): check --key", w.cfg.URL)
	case 403:
		return fmt.Errorf("%s refuses this key (403), its project may be disabled: %s", w.cfg.URL, w.outcome.refusal)
	case 404, 405:
		return fmt.Errorf("no gateway at %s (status %d): check --url", w.cfg.URL, answer.status)
	}
	return nil
}

// build builds the request's body from the pending events.
func (w *worker) build() {
	w.body = w.body[:0]
	if w.cfg.Bulk <= 1 {
		w.body = w.gen.append(w.body, w.pending[0])
		return
	}
	before := byte('[')
	for _, index := range w.pending {
		w.body = append(w.body, before)
		w.body = w.gen.append(w.body, index)
		before = ','
	}
	w.body = append(w.body, ']')
}

// keep reduces the pending events to those at these positions.
func (w *worker) keep(positions []int) {
	for to, from := range positions {
		w.pending[to] = w.pending[from]
	}
	w.pending = w.pending[:len(positions)]
}

// stubborn is how many times --give-up a single event is tried while others are acknowledged.
const stubborn = 10

// exhausted reports whether to give up on events first sent at first. If the gateway acknowledges nothing for that
// long, the whole run ends: two minutes for each of a million events would take years.
func (w *worker) exhausted(first time.Time) bool {
	since, _, _ := w.tally.silence()
	if time.Since(later(first, since)) > w.cfg.GiveUp {
		w.source.close()
		return true
	}
	return time.Since(first) > stubborn*w.cfg.GiveUp
}

// retryWait returns the wait after a failed attempt without Retry-After: 50 ms, doubled each time up to 2 s, less a
// random half of it, so that connections do not act in step.
func retryWait(attempt int) time.Duration {
	d := min(50*time.Millisecond<<min(attempt, 10), 2*time.Second)
	return d - jitter(d/2)
}
