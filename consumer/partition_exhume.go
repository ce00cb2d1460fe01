package consumer

import (
	"context"
	"errors"
	"fmt"

	"sluice/consumer/kafka"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// goneAnswers is how often in a row Kafka must say that a record is not on the topic, until its dead letter is made of its row: a leader
// that has just taken over says so for a moment of records that it has.
const goneAnswers = 3

// errGone: the record at an offset is not on the topic any more, or is another one.
var errGone = errors.New("the record is not on the topic any more")

// exhume makes the dead letter of a row that was refused. It reads the record again, because the row has no key and not all headers. If
// the record was removed meanwhile, by retention or with its topic, the row has to do: what is in it is nowhere else.
func (d *insertion) exhume(ctx context.Context, row int32, column string) (kafka.DeadLetter, error) {
	c := d.causes[row]
	detail := c.err.Error()
	if column != "" {
		detail = "column " + column + ": " + detail
	}
	letter, err := d.reread(ctx, row, detail)
	if !errors.Is(err, errGone) {
		c.gone = 0
		return letter, err
	}
	if c.gone++; c.gone < goneAnswers {
		return letter, err
	}
	d.log.Warn("a row is refused whose record is not on the topic any more: its dead letter is made of the row, without the record's key",
		"partition", d.partition.id, "offset", d.Offsets[row])
	return d.letterOf(row, "made of the row, because the record was removed from the topic: "+detail), nil
}

// reread makes the letter of the row's record. The error is errGone if Kafka answered without that record.
func (d *insertion) reread(ctx context.Context, row int32, detail string) (letter kafka.DeadLetter, err error) {
	offset := d.Offsets[row]
	answer, err := d.kafka.Fetch(ctx, d.partition.id, offset, fetchWait)
	if err == nil {
		for r, bad := range answer.Records {
			switch {
			case bad != nil:
				err = bad
			case d.isRecordOf(row, r):
				return deadLetterOf(r, refusedRecord(detail)), nil
			default:
				err = errGone
			}
			break
		}
	}
	if errors.Is(err, kafka.ErrOffsetOutOfRange) || err == nil && answer.Next > offset {
		err = errGone
	}
	return letter, fmt.Errorf("read the record at %d again: %w", offset, err)
}

// isRecordOf says whether a record is the one that a row was made of.
func (d *insertion) isRecordOf(row int32, r *recordbatch.Record) bool {
	e, err := event.ParseHeaders(r.Headers)
	return r.Offset == d.Offsets[row] && err == nil && e.ID == d.batch.rows.EventIDs()[row]
}

// letterOf makes the letter of what the row has: the event as the steps left it, and the headers that became columns.
func (d *insertion) letterOf(row int32, detail string) kafka.DeadLetter {
	rows := d.batch.rows
	envelope := event.Envelope{
		Project: rows.Project(int(row)), ID: rows.EventIDs()[row], ReceivedAt: rows.ReceivedAt(int(row)),
	}
	return deadLetterOf(&recordbatch.Record{Offset: d.Offsets[row], Value: rows.Payload(int(row)), Headers: envelope.Headers()}, refusedRecord(detail))
}

func refusedRecord(detail string) error {
	return &event.RecordError{Reason: event.DeadRefusedByDatabase, Detail: detail}
}
