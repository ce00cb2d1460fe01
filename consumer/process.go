package consumer

import (
	"errors"
	"fmt"
	"time"

	"sluice/internal/event"
)

// record is a Kafka record as fetched. Its bytes are good until the next one is fetched.
type record struct {
	offset  int64
	key     []byte
	value   []byte // nil: a tombstone
	headers []event.Header
	raw     []byte // value, number of headers and headers as they are in the batch

	atMillis int64 // the time that the broker gave it, or the producer, by the topic's message.timestamp.type; Unix milliseconds
}

// processor makes rows of records. It trusts nothing that is on the topic: whatever is there becomes a row or a dead letter.
// It is reused and not safe for concurrent use.
type processor struct {
	topic     string
	partition int
	maxAge    time.Duration
	steps     []Step

	decoder    event.Decoder
	event      event.Event
	input      StepInput
	receivedAt time.Time // of the last row
}

// maxRecordBytes is the largest value that may become a row: what the topic takes in one batch.
const maxRecordBytes = 2 << 20

// process appends the record's row to b, or says why there is none.
func (p *processor) process(r *record, b *block) error {
	envelope, err := event.DecodeRecord(&p.decoder, r.value, r.headers, maxRecordBytes, &p.event)
	if err != nil {
		return err
	}
	// Identity rests on the event as it was sent, whatever steps do to it.
	idTime := event.IDTime(envelope.ID, p.event.Timestamp)
	raw := r.value
	if len(p.steps) > 0 {
		if raw, err = p.apply(&envelope, raw); err != nil {
			return err
		}
	}
	p.receivedAt = envelope.ReceivedAt
	b.append(&p.event, &row{
		envelope: envelope, idTime: idTime, raw: raw, topic: p.topic, partition: p.partition, offset: r.offset, maxAge: p.maxAge,
	})
	return nil
}

// apply takes the event through all steps. What it returns is the event as they leave it, which p.event holds then.
func (p *processor) apply(envelope *event.Envelope, raw []byte) ([]byte, error) {
	in := &p.input
	*in = StepInput{Project: envelope.Project, EventID: envelope.ID, ReceivedAt: envelope.ReceivedAt, JSON: raw, buffers: in.buffers}
	for _, s := range p.steps {
		if !s.Apply(in) {
			return nil, &droppedError{step: s.Name}
		}
	}
	if !in.changed {
		return raw, nil
	}
	if err := p.decoder.Decode(in.JSON, &p.event); err != nil {
		return nil, fmt.Errorf("the event is not one any more after processing: %w", err)
	}
	return in.JSON, nil
}

// deadReason is the closed word for what was wrong with a record.
func deadReason(err error) event.DeadReason {
	var refused *event.RecordError
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return event.DeadInvalidEvent
}
