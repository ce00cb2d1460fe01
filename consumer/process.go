package consumer

import (
	"errors"
	"fmt"
	"time"

	"sluice/consumer/kafka"
	"sluice/consumer/rows"
	"sluice/consumer/step"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// processor makes rows of records. It trusts nothing that is on the topic: whatever is there becomes a row or a dead letter.
// It is reused and not safe for concurrent use.
type processor struct {
	topic     string
	partition int
	maxAge    time.Duration
	chain     step.Chain

	decoder    event.Decoder
	event      event.Event
	receivedAt time.Time // of the last row
	corrected  int       // rows whose received_at is not what the gateway said, since it was last looked at
	clock      func() time.Time
	now        int64 // when clock was last looked at, in Unix milliseconds
}

// maxRecordBytes is the largest value that may become a row: what the topic takes in one batch.
const maxRecordBytes = 2 << 20

// process appends the record's row to b, or says why there is none.
func (p *processor) process(r *recordbatch.Record, b *rows.Block) error {
	envelope, err := event.DecodeRecord(&p.decoder, r.Value, r.Headers, maxRecordBytes, &p.event)
	if err != nil {
		return err
	}
	p.judge(&envelope, r)
	// Identity rests on the event as it was sent, whatever steps do to it.
	idTime := event.IDTime(envelope.ID, p.event.Timestamp)
	raw := r.Value
	if len(p.chain.Steps) > 0 {
		if raw, err = p.apply(&envelope, raw); err != nil {
			return err
		}
	}
	b.Append(&p.event, &rows.Row{
		Envelope: envelope, IdTime: idTime, Raw: raw, Topic: p.topic, Partition: p.partition, Offset: r.Offset, MaxAge: p.maxAge,
	})
	return nil
}

// judge replaces the time of receipt where the gateway's clock cannot be right, see receivedAt. It looks at this process's clock only
// for records that the last look does not settle.
func (p *processor) judge(envelope *event.Envelope, r *recordbatch.Record) {
	w := witness{received: envelope.ReceivedAt.UnixMilli(), stamped: r.Timestamp, byBroker: r.LogAppendTime}
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
	out, changed, err := p.chain.Apply(envelope.Project, envelope.ID, envelope.ReceivedAt, raw)
	if err != nil || !changed {
		return out, err
	}
	if err := p.decoder.Decode(out, &p.event); err != nil {
		return nil, fmt.Errorf("the event is not valid any more after processing: %w", err)
	}
	return out, nil
}

// deadLetterOf makes the dead letter of a record that cannot become a row.
func deadLetterOf(r *recordbatch.Record, err error) kafka.DeadLetter {
	return kafka.NewDeadLetter(r, deadReason(err), err.Error())
}

// deadReason is the closed word for what was wrong with a record.
func deadReason(err error) event.DeadReason {
	var refused *event.RecordError
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return event.DeadInvalidEvent
}
