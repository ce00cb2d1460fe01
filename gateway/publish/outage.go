package publish

import (
	"context"
	"errors"
	"sluice/gateway/broker"
	"sync"
	"time"
)

const (
	// outageAfter is how long every attempt must have failed before Kafka counts as away.
	outageAfter = 2 * time.Second
	// outageWait is how long a request then waits: long enough to be tried, so that requests find out that Kafka is back.
	outageWait = time.Second
	// outageProbe is how often Kafka is asked for a sign of life while it is away.
	outageProbe = 500 * time.Millisecond
)

// outage knows whether Kafka is away: no lane has had a success since an attempt failed, and that is a while ago.
type outage struct {
	mu    sync.Mutex
	since time.Time // of the first failure after the last success; zero: none
	mute  bool      // the last failure was the lack of an answer
	cause string    // of the last failure; one of Reasons
	well  time.Time // of the last success
	tried time.Time // by a batch, although Kafka was away
	// trial: a sign of life ended the outage, and no batch has been taken since. distrust: one was not; from then on only a batch
	// that is taken ends it.
	trial, distrust bool
}

// note remembers how an attempt ended that began at started. A failure began when its attempt did: one that waited for an
// answer that never came has lasted for a while by now, unless another attempt succeeded meanwhile.
func (o *outage) note(err error, started, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil:
		o.since, o.well = time.Time{}, now
		o.trial, o.distrust = false, false
		return
	case errors.Is(err, broker.ErrTooLarge):
		return // a smaller batch may be taken
	}
	if o.since.IsZero() {
		if o.since = started; o.well.After(started) {
			o.since = o.well
		}
	}
	if o.trial {
		o.trial, o.distrust = false, true
		o.since = now.Add(-outageAfter - 1)
	}
	o.cause = broker.ReasonOf(err)
	o.mute = !errors.Is(err, broker.ErrAnswered) && !errors.Is(err, broker.ErrNoPartitions)
}

func (o *outage) away(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero() && now.Sub(o.since) > outageAfter
}

// takenSince says whether the topic took a batch after that time.
func (o *outage) takenSince(then time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.well.After(then)
}

// reason is why the last attempt failed.
func (o *outage) reason() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cause
}

// failing says whether attempts fail, however short a while they have.
func (o *outage) failing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return !o.since.IsZero()
}

// tries says whether a batch should find out that Kafka is back, although there is a better place for it: one a while does.
func (o *outage) tries(now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now.Sub(o.tried) < outageWait {
		return false
	}
	o.tried = now
	return true
}

// shorten brings a request's deadline nearer while Kafka is away.
func (o *outage) shorten(deadline, now time.Time) time.Time {
	if short := now.Add(outageWait); o.away(now) && short.Before(deadline) {
		return short
	}
	return deadline
}

// revive ends the outage on a sign of life, if silence was what it consisted of. Where Kafka answers and refuses, such as with
// too few replicas, only a batch can show that it is over.
func (o *outage) revive() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.mute && !o.distrust && !o.since.IsZero() {
		o.since, o.trial = time.Time{}, true
	}
}

// watchOutage looks for a sign of life while Kafka is away, whether requests come or not, and for attempts that get no answer.
func (p *Publisher) watchOutage(ctx context.Context) {
	said := false
	for pause(ctx, outageProbe) {
		p.noteSilence(time.Now())
		away := p.outage.away(time.Now())
		if away != said {
			if said = away; away {
				p.log.Warn("kafka is away", "reason", p.outage.reason(), "wait", outageWait)
				p.hurry()
			} else {
				p.log.Info("kafka is back")
			}
		}
		if away && p.probe(ctx) {
			p.outage.revive()
		}
	}
}

// noteSilence counts attempts that have waited for long as failing: otherwise a broker that hangs would be noticed only when
// they are given up.
func (p *Publisher) noteSilence(now time.Time) {
	p.each(func(l *lane) {
		since := l.attempts.since.Load()
		if started := p.start.Add(time.Duration(since)); since != 0 && now.Sub(started) > outageWait {
			p.outage.note(context.DeadlineExceeded, started, now)
		}
	})
}

// hurry ends the attempts under way when Kafka turns out to be away and there is a spool for what they send.
func (p *Publisher) hurry() {
	if p.detour.spool == nil {
		return
	}
	p.each(func(l *lane) {
		if cancel := l.attempts.cancel.Load(); cancel != nil && l.attempts.since.Load() != 0 {
			(*cancel)()
		}
	})
}

// probe asks for a sign of life: whether the leaders and replicas of some partition answer, or any broker where the brokers are
// not known. The id that it gives is not used.
func (p *Publisher) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, outageWait)
	defer cancel()
	if c, ok := p.producer.(broker.Cluster); ok {
		return p.writable(ctx, c)
	}
	_, err := p.producer.NewID(ctx)
	return err == nil || errors.Is(err, broker.ErrAnswered)
}
