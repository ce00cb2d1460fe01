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
	byBroker bool  // atMillis is the broker's
	term     term  // of the leader that appended its batch
	base     int64 // the first offset of its batch
	before   int64 // the offset behind the batch before, or the one that was asked for: up to base the log has no batch
	logStart int64 // the oldest offset on the log when the fetch was answered
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
	corrected  int       // rows whose received_at is not what the gateway said, since it was last looked at
	clock      func() time.Time
	now        int64 // when clock was last looked at, in Unix milliseconds
}

// maxRecordBytes is the largest value that may become a row: what the topic takes in one batch.
const maxRecordBytes = 2 << 20

// process appends the record's row to b, or says why there is none.
func (p *processor) process(r *record, b *block) error {
	envelope, err := event.DecodeRecord(&p.decoder, r.value, r.headers, maxRecordBytes, &p.event)
	if err != nil {
		return err
	}
	p.judge(&envelope, r)
	// Identity rests on the event as it was sent, whatever steps do to it.
	idTime := event.IDTime(envelope.ID, p.event.Timestamp)
	raw := r.value
	if len(p.steps) > 0 {
		if raw, err = p.apply(&envelope, raw); err != nil {
			return err
		}
	}
	b.append(&p.event, &row{
		envelope: envelope, idTime: idTime, raw: raw, topic: p.topic, partition: p.partition, offset: r.offset, maxAge: p.maxAge,
	})
	return nil
}

// judge replaces the time of receipt where the gateway's clock cannot be right, see receivedAt. It looks at this process's clock only
// for records that the last look does not settle.
func (p *processor) judge(envelope *event.Envelope, r *record) {
	w := witness{received: envelope.ReceivedAt.UnixMilli(), stamped: r.atMillis, byBroker: r.byBroker}
	if !w.agree() || !w.byBroker && !plausible(w.received, p.now) {
		p.now = p.time().UnixMilli()
		if at, corrected := receivedAt(w, p.now); corrected {
			envelope.ReceivedAt = time.UnixMilli(at).UTC()
			p.corrected++
		}
	}
	p.receivedAt = envelope.ReceivedAt
}

func (p *processor) time() time.Time {
	if p.clock != nil {
		return p.clock()
	}
	return time.Now()
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
