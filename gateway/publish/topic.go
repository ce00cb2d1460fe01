package publish

import (
	"context"
	"errors"
	"strings"
	"time"

	"sluice/gateway/broker"
	"sluice/internal/backoff"
)

// describeTimeout bounds one question for the topic's settings.
const describeTimeout = 3 * time.Second

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
