package publish

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"sluice/gateway/broker"
	"sluice/internal/backoff"
)

const (
	// partitionsEvery is how often the topic's partitions and settings are read, and partitionsRetry how soon again
	// after a failure.
	partitionsEvery = 10 * time.Second
	partitionsRetry = 500 * time.Millisecond
	// describeTimeout bounds one question for the topic's settings.
	describeTimeout = 3 * time.Second
)

// watchTopic reads the topic's partitions, settings and leaders. Nothing can be sent before the partitions are known.
func (p *Publisher) watchTopic(ctx context.Context) {
	wait := time.Duration(0)
	logged := false
	var topic knownTopic
	for backoff.Sleep(ctx, wait) {
		n, err := p.producer.Partitions(ctx)
		if err == nil && n > 0 {
			if p.partitions.Swap(int64(n)) != int64(n) {
				p.log.Info("topic found", "partitions", n)
				for _, l := range p.lanes {
					l.own.signal() // a lane that had no partition may have one now
				}
			}
			p.describe(ctx, &topic)
			if c, ok := p.producer.(broker.Cluster); ok {
				if of, err := c.Replicas(ctx); err == nil {
					p.leaders.learn(of, time.Now())
				}
			}
			wait, logged = partitionsEvery, false
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if !logged {
			p.log.Warn("cannot read the topic from kafka; retrying", "err", err)
			logged = true
		}
		p.cfg.Metrics.Errors.WithLabelValues(broker.ReasonMetadata).Inc()
		wait = partitionsRetry
	}
}

// knownTopic is what has been read and logged of the topic's settings.
type knownTopic struct {
	settings broker.TopicSettings
	known    bool
	logged   string // the last error or faults, so that they are logged once
}

// describe reads the topic's settings and logs what is wrong with them. Batches are cut to what the topic takes from
// then on. When the settings have changed, the quarantine is sent again.
func (p *Publisher) describe(ctx context.Context, topic *knownTopic) {
	d, ok := p.producer.(broker.Describer)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	settings, err := d.Describe(ctx)
	if err != nil {
		if errors.Is(err, broker.ErrAnswered) && topic.logged != err.Error() {
			topic.logged = err.Error()
			p.log.Warn("kafka does not show the topic's settings; batches are split only after kafka refused them",
				"err", err)
		}
		return // the lack of an answer is logged elsewhere
	}
	if topic.known && settings == topic.settings {
		return
	}
	changed := topic.known
	topic.settings, topic.known = settings, true
	p.pool.batch.topic.Store(int64(settings.MaxBatch))
	p.topic.Store(&settings)
	p.logFaults(topic, settings)
	if r := p.fallback.replay; changed && r != nil {
		select {
		case r.topicChanged <- struct{}{}:
		default: // it has a token
		}
	}
}

// logFaults logs what is wrong with the topic, and when nothing is wrong any more.
func (p *Publisher) logFaults(topic *knownTopic, settings broker.TopicSettings) {
	cannot, should := settings.Faults(p.cfg.MaxEventBytes)
	for _, text := range cannot {
		p.log.Error("topic does not take what the gateway accepts", "fault", text)
	}
	for _, text := range should {
		p.log.Warn("topic settings are not as safe as they should be", "fault", text)
	}
	faults := strings.Join(append(cannot, should...), "\n")
	if faults == "" && topic.logged != "" {
		p.log.Info("topic settings are as they should be")
	}
	topic.logged = faults
}

// avoidSilent tells the producer which brokers do not answer.
func (p *Publisher) avoidSilent() {
	if c, ok := p.producer.(broker.Cluster); ok {
		c.Avoid(p.leaders.silentBrokers())
	}
}

// watchLeaders looks up the leaders and probes the silent brokers, while any partition is avoided.
func (p *Publisher) watchLeaders(ctx context.Context) {
	c, ok := p.producer.(broker.Cluster)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.leaders.wake:
		}
		for p.leaders.unsettled() {
			if ok {
				p.askLeaders(ctx, c)
			} else {
				p.leaders.learn(nil, time.Now())
			}
			if !backoff.Sleep(ctx, probeEvery) {
				return
			}
		}
		if ok {
			c.Avoid(nil)
		}
	}
}

func (p *Publisher) askLeaders(ctx context.Context, c broker.Cluster) {
	silent := p.leaders.silentBrokers()
	c.Avoid(silent)
	if of, err := c.Replicas(ctx); err == nil {
		p.leaders.learn(of, time.Now())
	}
	var all sync.WaitGroup
	for _, id := range silent {
		all.Go(func() {
			if p.alive(ctx, c, id) {
				p.leaders.answered(id, time.Now())
			}
		})
	}
	all.Wait()
}

func (p *Publisher) alive(ctx context.Context, c broker.Cluster, id int32) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return c.Probe(ctx, id) == nil
}

// writable reports whether Kafka could acknowledge a batch: some partition has a leader and enough replicas in sync,
// and all of those answer. A dead replica that still counts as in sync holds up every acknowledgement until Kafka takes
// it off the list.
func (p *Publisher) writable(ctx context.Context, c broker.Cluster) bool {
	of, err := c.Replicas(ctx)
	if err != nil {
		return false
	}
	asked, answers := map[int32]bool{}, map[int32]bool{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, r := range of {
		for _, b := range append(r.InSync[:len(r.InSync):len(r.InSync)], r.Leader) {
			if b < 0 || asked[b] {
				continue
			}
			asked[b] = true
			all.Go(func() {
				yes := p.alive(ctx, c, b)
				mu.Lock()
				defer mu.Unlock()
				answers[b] = yes
			})
		}
	}
	all.Wait()
	for _, r := range of {
		ok := answers[r.Leader] && len(r.InSync) >= max(1, p.Topic().MinISR)
		for _, b := range r.InSync {
			ok = ok && answers[b]
		}
		if ok {
			return true
		}
	}
	return false
}

// watchOutage notes attempts that get no answer, and asks Kafka for a sign of life while it is away, whether requests
// come or not.
func (p *Publisher) watchOutage(ctx context.Context) {
	logged := false
	for backoff.Sleep(ctx, outageProbe) {
		p.noteSilence(ctx)
		away := p.outage.away(time.Now())
		if away != logged {
			if logged = away; away {
				p.log.Warn("kafka is away", "reason", p.outage.reason(), "wait", outageWait)
				p.cancelAttempts()
			} else {
				p.log.Info("kafka is back")
				p.failures.forget()
			}
		}
		if away && p.probe(ctx) {
			p.outage.endOnTrial()
		}
	}
}

// noteSilence notes attempts that have waited for outageWait as failures. Otherwise a broker that hangs would be
// noticed only when they are given up.
//
// A lane with a successor is stuck with one broker, and the successor sends to the others. With little traffic no other
// attempt shows whether they answer. So its silence counts only if no partition's brokers answer a probe either.
func (p *Publisher) noteSilence(ctx context.Context) {
	now := time.Now()
	var stuck time.Time // when the oldest batch of a lane with a successor was taken; zero: there is none
	p.eachLane(func(l *lane) {
		if l.isReplaced() {
			began := now.Add(-l.workingFor(now))
			if now.Sub(began) > outageWait && (stuck.IsZero() || began.Before(stuck)) {
				stuck = began
			}
			return
		}
		since := l.attempt.since.Load()
		if started := p.start.Add(time.Duration(since)); since != 0 && now.Sub(started) > outageWait {
			p.outage.note(context.DeadlineExceeded, started, now)
		}
	})
	if !stuck.IsZero() && !p.outage.failing() && !p.probe(ctx) {
		p.outage.note(context.DeadlineExceeded, stuck, time.Now())
	}
}

// cancelAttempts ends the attempts under way when Kafka turns out to be away and a spool takes their batches.
func (p *Publisher) cancelAttempts() {
	if p.fallback.spool == nil {
		return
	}
	p.eachLane(func(l *lane) {
		if cancel := l.attempt.cancel.Load(); cancel != nil && l.attempt.since.Load() != 0 {
			(*cancel)()
		}
	})
}

// probe asks for a sign of life: whether the leader and the replicas of some partition answer. Where the brokers are
// not known, any broker's answer to a request for a producer id does; the id is not used.
func (p *Publisher) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, outageWait)
	defer cancel()
	if c, ok := p.producer.(broker.Cluster); ok {
		return p.writable(ctx, c)
	}
	_, err := p.producer.NewID(ctx)
	return err == nil || errors.Is(err, broker.ErrAnswered)
}
