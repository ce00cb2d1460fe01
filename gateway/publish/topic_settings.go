package publish

import (
	"context"
	"errors"
	"sluice/gateway/broker"
	"strings"
	"time"
)

// describeTimeout bounds one question about the topic.
const describeTimeout = 3 * time.Second

// knownTopic is what the publisher knows of its topic's settings.
type knownTopic struct {
	settings broker.TopicSettings
	known    bool
	said     string // the last error or fault, so that it is said once
}

// describe learns the topic's settings and says what is wrong with them, once. Batches are cut to what the topic takes from then
// on, and what it refused before is tried again when they have changed.
func (p *Publisher) describe(ctx context.Context, topic *knownTopic) {
	d, ok := p.producer.(broker.Describer)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	settings, err := d.Describe(ctx)
	if err != nil {
		if errors.Is(err, broker.ErrAnswered) && topic.said != err.Error() {
			topic.said = err.Error()
			p.log.Warn("kafka does not say how the topic is set; batches that are too large are found by being refused", "err", err)
		}
		return // any other lack of an answer shows elsewhere
	}
	if topic.known && settings == topic.settings {
		return
	}
	changed := topic.known
	topic.settings, topic.known = settings, true
	p.memory.batch.topic.Store(int64(settings.MaxBatch))
	p.topic.Store(&settings)
	p.sayFaults(topic, settings)
	if r := p.detour.replay; changed && r != nil {
		select {
		case r.mended <- struct{}{}:
		default: // a token is there already
		}
	}
}

// sayFaults logs what is wrong with the topic, and when nothing is any more.
func (p *Publisher) sayFaults(topic *knownTopic, settings broker.TopicSettings) {
	cannot, should := settings.Faults(p.cfg.MaxEventBytes)
	for _, text := range cannot {
		p.log.Error("topic does not take what the gateway accepts", "fault", text)
	}
	for _, text := range should {
		p.log.Warn("topic is not set as it should be", "fault", text)
	}
	said := strings.Join(append(cannot, should...), "\n")
	if said == "" && topic.said != "" {
		p.log.Info("topic is set as it should be")
	}
	topic.said = said
}
