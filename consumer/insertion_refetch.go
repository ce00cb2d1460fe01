package consumer

import (
	"context"
	"errors"
	"fmt"

	"sluice/consumer/kafka"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// goneAnswers is how often in a row Kafka must say that a record is not on the topic, before its dead letter is made of
// its row: a leader that has just taken over says so for a moment of records that it has.
const goneAnswers = 3

// errGone says that the record at an offset is not on the topic any more, or is another one.
var errGone = errors.New("the record is not on the topic any more")

// deadLetterOfRow makes the dead letter of a rejected row. It fetches the record again, because the row has no key and
// not all headers. If the record was removed since, by retention or with its topic, the letter is made of the row: its
// data is nowhere else.
func (i *insertion) deadLetterOfRow(ctx context.Context, row int32, column string) (kafka.DeadLetter, error) {
	c := i.evidence.causes[row]
	detail := c.err.Error()
	if column != "" {
		detail = "column " + column + ": " + detail
	}
	letter, err := i.refetch(ctx, row, detail)
	if !errors.Is(err, errGone) {
		c.gone = 0
		return letter, err
	}
	if c.gone++; c.gone < goneAnswers {
		return letter, err
	}
	i.p.log.Warn("the record of a refused row is gone from the topic: the dead letter is made of the row",
		"offset", i.offsetOf(row))
	return i.letterFromRow(row, "made of the row, because the record was removed from the topic: "+detail), nil
}

func (i *insertion) offsetOf(row int32) int64 { return i.batch.rows.Offsets()[row] }

// refetch makes the dead letter of the row's record. The error is errGone if Kafka answered without that record.
func (i *insertion) refetch(ctx context.Context, row int32, detail string) (letter kafka.DeadLetter, err error) {
	offset := i.offsetOf(row)
	answer, err := i.p.kafka.Fetch(ctx, i.p.id, offset, fetchWait)
	if err == nil {
		for r, bad := range answer.Records {
			switch {
			case bad != nil:
				err = bad
			case i.isRecordOf(row, r):
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
	return letter, fmt.Errorf("fetch the record at %d again: %w", offset, err)
}

// isRecordOf says whether a record is the one that a row was made of.
func (i *insertion) isRecordOf(row int32, r *recordbatch.Record) bool {
	e, err := event.ParseHeaders(r.Headers)
	return r.Offset == i.offsetOf(row) && err == nil && e.ID == i.batch.rows.EventIDs()[row]
}

// letterFromRow makes the letter of what the row has: the event as the steps left it, and the headers that became
// columns.
func (i *insertion) letterFromRow(row int32, detail string) kafka.DeadLetter {
	rows := i.batch.rows
	envelope := event.Envelope{Project: rows.Project(int(row)), ID: rows.EventIDs()[row],
		ReceivedAt: rows.ReceivedAt(int(row)), Format: rows.Format(int(row))}
	r := &recordbatch.Record{Offset: i.offsetOf(row), Value: rows.Payload(int(row)), Headers: envelope.Headers()}
	return deadLetterOf(r, refusedRecord(detail))
}

func refusedRecord(detail string) error {
	return &event.RecordError{Reason: event.DeadRefusedByDatabase, Detail: detail}
}
