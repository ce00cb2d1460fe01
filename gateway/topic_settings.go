package gateway

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"sluice/internal/kafkaconn"
)

// topicSettings are the settings of the events topic that decide whether it takes what the gateway accepts.
type topicSettings struct {
	maxBatch  int    // max.message.bytes: the largest batch, as it is sent
	cleanup   string // cleanup.policy
	timestamp string // message.timestamp.type
	minISR    int    // min.insync.replicas
	replicas  int    // the fewest of any partition
}

// describer is a Producer that can say how its topic is set.
type describer interface {
	// Describe reads the topic's settings. The error is ErrAnswered when Kafka itself says no, as it does without the right.
	Describe(ctx context.Context) (topicSettings, error)
}

const (
	// describeTimeout bounds one question about the topic.
	describeTimeout = 3 * time.Second
	// recordOverhead is what a record of the largest event takes besides the event, and its batch: some 300 bytes of headers
	// usually, a traceparent and a project id at their longest included.
	recordOverhead = 4 << 10
)

// faults says what is wrong with the topic for a gateway that takes events of up to largest bytes: with cannot nothing or not
// all can be kept, with should it can, but not as safely as it might.
func (t topicSettings) faults(largest int) (cannot, should []string) {
	if strings.Contains(t.cleanup, "compact") {
		cannot = append(cannot, fmt.Sprintf("cleanup.policy is %q: a compacted topic refuses events without a key and removes others; set it to \"delete\"", t.cleanup))
	}
	if need := largest + recordOverhead; t.maxBatch > 0 && t.maxBatch < need {
		cannot = append(cannot, fmt.Sprintf("max.message.bytes is %d: with --max-event-bytes %d the gateway takes events that the topic refuses; raise it to %d or more, or lower --max-event-bytes",
			t.maxBatch, largest, need))
	}
	if t.replicas > 0 && t.minISR > t.replicas {
		cannot = append(cannot, fmt.Sprintf("min.insync.replicas is %d and a partition has %d replicas: nothing can be acknowledged", t.minISR, t.replicas))
	}
	if t.minISR == 1 && t.replicas > 1 {
		should = append(should, fmt.Sprintf("min.insync.replicas is 1 with %d replicas: an acknowledged event may be on one broker only; 2 is safer", t.replicas))
	}
	if t.timestamp != "" && t.timestamp != "LogAppendTime" {
		should = append(should, fmt.Sprintf("message.timestamp.type is %q: record times are the gateway's clock instead of the brokers'; \"LogAppendTime\" is right", t.timestamp))
	}
	return cannot, should
}

// CheckTopic asks Kafka whether the events topic takes what a gateway with these settings accepts. The error is every reason why
// it does not. The notes are what might be better, and what could not be asked: Kafka need not run when settings are checked.
func CheckTopic(ctx context.Context, cfg Config, conn kafkaconn.Config) (notes []string, err error) {
	if cfg.Check() != nil || conn.Check() != nil {
		return nil, nil // said by whoever checks them
	}
	producer, err := newKafkaProducer(conn)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	settings, err := producer.Describe(ctx)
	if err != nil {
		return []string{fmt.Sprintf("topic %s was not checked: %v", conn.Topic, err)}, nil
	}
	cannot, should := settings.faults(cfg.MaxEventBytes)
	var faults []error
	for _, text := range cannot {
		faults = append(faults, fmt.Errorf("topic %s: %s", conn.Topic, text))
	}
	for _, text := range should {
		notes = append(notes, fmt.Sprintf("topic %s: %s", conn.Topic, text))
	}
	return notes, errors.Join(faults...)
}

// knownTopic is what the publisher knows of its topic's settings.
type knownTopic struct {
	settings topicSettings
	known    bool
	said     string // the last error or fault, so that it is said once
}

// describe learns the topic's settings and says what is wrong with them, once. Batches are cut to what the topic takes from then
// on, and what it refused before is tried again when they have changed.
func (p *publisher) describe(ctx context.Context, topic *knownTopic) {
	d, ok := p.producer.(describer)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	settings, err := d.Describe(ctx)
	if err != nil {
		if errors.Is(err, ErrAnswered) && topic.said != err.Error() {
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
	p.memory.batch.topic.Store(int64(settings.maxBatch))
	p.minISR.Store(int64(settings.minISR))
	p.sayFaults(topic, settings)
	if r := p.detour.replay; changed && r != nil {
		select {
		case r.mended <- struct{}{}:
		default: // a token is there already
		}
	}
}

// sayFaults logs what is wrong with the topic, and when nothing is any more.
func (p *publisher) sayFaults(topic *knownTopic, settings topicSettings) {
	cannot, should := settings.faults(p.largest)
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
