package publish

import (
	"errors"
	"sync"
	"time"

	"sluice/gateway/broker"
)

const (
	// outageAfter is how long ago the first failure since the last success must be before Kafka counts as away.
	outageAfter = 2 * time.Second
	// outageWait is how long a request waits while Kafka is away: long enough to be tried, so that requests find out
	// that Kafka is back.
	outageWait = time.Second
	// outageProbe is how often the outage is checked, and how often Kafka is asked for a sign of life while it is away.
	outageProbe = 500 * time.Millisecond
)

// outage knows whether Kafka is away: an attempt failed more than outageAfter ago, and none has succeeded since.
type outage struct {
	mu          sync.Mutex
	since       time.Time // of the first failure after the last success; zero: none
	unanswered  bool      // the last failure was the lack of an answer
	cause       string    // of the last failure; one of broker.Reasons
	lastSuccess time.Time
	lastTry     time.Time // of a batch that was sent although Kafka was away
	// onTrial: a sign of life ended the outage, and no batch has been taken since. distrusted: a batch was not taken
	// while on trial. From then on only a batch that Kafka takes ends the outage.
	onTrial, distrusted bool
}

// note takes into account how an attempt ended that began at started. A failure counts from the start of its attempt,
// or from a later success of another: an attempt that waited for an answer in vain has failed for that long.
func (o *outage) note(err error, started, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.since, o.lastSuccess = time.Time{}, now
		o.onTrial, o.distrusted = false, false
		return
	case errors.Is(err, broker.ErrTooLarge):
		return // Kafka may take a smaller batch
	}
	if o.since.IsZero() {
		if o.since = started; o.lastSuccess.After(started) {
			o.since = o.lastSuccess
		}
	}
	if o.onTrial {
		o.onTrial, o.distrusted = false, true
		o.since = now.Add(-outageAfter - 1)
	}
	o.cause = broker.ReasonOf(err)
	o.unanswered = !errors.Is(err, broker.ErrAnswered) && !errors.Is(err, broker.ErrNoPartitions)
}

// away reports whether Kafka counts as away.
func (o *outage) away(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero() && now.Sub(o.since) > outageAfter
}

// takenSince reports whether Kafka took a batch after that time.
func (o *outage) takenSince(then time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.lastSuccess.After(then)
}

// reason returns why the last attempt failed.
func (o *outage) reason() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause
}

// failing reports whether an attempt has failed since the last success, however short a while ago.
func (o *outage) failing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero()
}

// mayTry reports whether a batch should find out that Kafka is back, although there is a better place for it. One batch
// every outageWait does.
func (o *outage) mayTry(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.lastTry) < outageWait {
		return false
	}
	o.lastTry = now
	return true
}

// shorten brings a request's deadline nearer while Kafka is away.
func (o *outage) shorten(deadline, now time.Time) time.Time {
	if short := now.Add(outageWait); o.away(now) && short.Before(deadline) {
		return short
	}
	return deadline
}

// endOnTrial ends the outage after a sign of life, if the outage consisted of silence. Where Kafka answers and refuses,
// because it has too few replicas for example, only a batch can show that the outage is over.
func (o *outage) endOnTrial() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.unanswered && !o.distrusted && !o.since.IsZero() {
		o.since, o.onTrial = time.Time{}, true
	}
}
