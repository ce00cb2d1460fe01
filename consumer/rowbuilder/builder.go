package rowbuilder

import (
	"errors"
	"fmt"
	"time"

	"sluice/consumer/rows"
	"sluice/consumer/step"
	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/recordbatch"
)

// Builder makes rows of records. It trusts nothing that is on the topic: each record becomes a row, or an error says
// why not. It is used again and again, and is not safe for concurrent use.
type Builder struct {
	// Topic and Partition are where the records come from.
	Topic     string
	Partition int
	// MaxAge bounds how far an event's timestamp may be before its receipt.
	MaxAge time.Duration
	// Chain has the processing steps.
	Chain step.Chain
	// Clock is time.Now if it is nil.
	Clock func() time.Time

	// ReceivedAt is that of the last row.
	ReceivedAt time.Time
	// Traceparent is that of the last record, as far as its headers could be read, or "".
	Traceparent string
	// Corrected counts rows whose received_at is not the gateway's. The user may set it back to 0.
	Corrected int
	// Dropped is the envelope of the last event that a step dropped, as it came.
	Dropped event.Envelope

	decoder event.Decoder
	event   event.Event
	now     int64 // when Clock was last read, in Unix milliseconds
}

// MaxRecordBytes is the largest value that may become a row: what the topic takes in one batch.
const MaxRecordBytes = 2 << 20

// Build appends the record's row to b. The error is a *step.DroppedError, or says why the record is a dead letter.
func (p *Builder) Build(r *recordbatch.Record, b *rows.Block) error {
	if p.decoder.Formats == nil {
		p.decoder.Formats = format.All()
	}
	envelope, err := event.DecodeRecord(&p.decoder, r.Value, r.Headers, MaxRecordBytes, &p.event)
	p.Traceparent = envelope.Traceparent
	if err != nil {
		return err
	}
	received := envelope.ReceivedAt
	p.correctReceivedAt(&envelope, r)
	// Identity rests on the event as it was sent, whatever steps do to it.
	idTime := event.IDTime(envelope.ID, p.event.Timestamp)
	raw := r.Value
	if len(p.Chain.Steps) > 0 {
		if raw, err = p.applySteps(&envelope, raw); err != nil {
			p.Dropped, p.Dropped.ReceivedAt = envelope, received
			return err
		}
	}
	b.Append(&p.event, &rows.Row{
		Envelope: envelope, IDTime: idTime, Payload: raw, Topic: p.Topic, Partition: p.Partition, Offset: r.Offset,
		MaxAge: p.MaxAge,
	})
	return nil
}

// correctReceivedAt replaces the time of receipt if the gateway's clock cannot be right, see receivedAt. It reads this
// process's clock only for records that the last reading does not settle.
func (p *Builder) correctReceivedAt(envelope *event.Envelope, r *recordbatch.Record) {
	w := witness{received: envelope.ReceivedAt.UnixMilli(), stamped: r.Timestamp, byBroker: r.LogAppendTime}
	if !w.agree() || !w.byBroker && !plausible(w.received, p.now) {
		p.now = p.time().UnixMilli()
		if at, corrected := receivedAt(w, p.now); corrected {
			envelope.ReceivedAt = time.UnixMilli(at).UTC()
			p.Corrected++
		}
	}
	p.ReceivedAt = envelope.ReceivedAt
}

func (p *Builder) time() time.Time {
	if p.Clock != nil {
		return p.Clock()
	}
	return time.Now()
}

// applySteps runs all steps over the event. It returns the event as they leave it, which p.event holds then.
func (p *Builder) applySteps(envelope *event.Envelope, raw []byte) ([]byte, error) {
	out, changed, err := p.Chain.Apply(envelope.Project, envelope.ID, envelope.ReceivedAt, raw)
	if err != nil || !changed {
		return out, err
	}
	if err := p.decoder.DecodeAs(envelope.Format, out, &p.event); err != nil {
		return nil, fmt.Errorf("the event is not valid any more after processing: %w", err)
	}
	return out, nil
}

// DeadReason is what was wrong with a record that Build refused, as a word from a closed set.
func DeadReason(err error) event.DeadReason {
	if refused, ok := errors.AsType[*event.RecordError](err); ok {
		return refused.Reason
	}
	return event.DeadInvalidEvent
}
