package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/consumer/counts"
	"sluice/consumer/kafka"
	"sluice/consumer/rowbuilder"
	"sluice/internal/backoff"
	"sluice/internal/erasure"
	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/outcome"
	"sluice/internal/recordbatch"
)

// suspect is a record without a row.
type suspect struct {
	Missing

	key      identity // of an event; without an id if the record is no event that could become a row
	received time.Time
	dead     outcome.Row   // how its dead letter is counted
	counts   []outcome.Row // what a gateway counted; nil for another record
	erased   bool
}

// reader reads single records of a partition.
type reader struct {
	topic   topic
	name    string
	decoder event.Decoder
	event   event.Event
	erased  *erasedReader
}

func newReader(from topic, name string, erasures *erasure.List) *reader {
	return &reader{
		topic: from, name: name, decoder: event.Decoder{Formats: format.All()}, erased: newErasedReader(erasures),
	}
}

const (
	// fetchWait is how long the broker may wait for a record. Those that are read are there.
	fetchWait = 100 * time.Millisecond
	// fetchTries is how often a fetch is tried.
	fetchTries = 5
	// fetchPause is the time between two tries. A broker that was away does not know its newest records for a second.
	fetchPause = time.Second
)

// errRemoved says that the topic begins behind an offset.
var errRemoved = errors.New("removed from the topic")

// fetch reads from an offset on. The error is errRemoved if the topic begins behind it.
func (r *reader) fetch(ctx context.Context, partition int, offset int64) (*kafka.Answer, error) {
	for try := 1; ; try++ {
		answer, err := r.topic.Fetch(ctx, partition, offset, fetchWait)
		if errors.Is(err, kafka.ErrOffsetOutOfRange) {
			if first, _, boundsErr := r.topic.Bounds(ctx, partition); boundsErr == nil && offset < first {
				return nil, errRemoved
			}
		}
		if err == nil {
			return answer, nil
		}
		if try == fetchTries || !backoff.Sleep(ctx, fetchPause) {
			return nil, fmt.Errorf("read partition %d from offset %d: %w", partition, offset, err)
		}
	}
}

// oldest returns the time at which the broker appended the first record from an offset on, zero if that is unknown.
func (r *reader) oldest(ctx context.Context, partition int, offset int64) (at time.Time, err error) {
	answer, err := r.fetch(ctx, partition, offset)
	if err != nil {
		return at, err
	}
	for record, err := range answer.Records {
		if err != nil {
			return at, err
		}
		if record.LogAppendTime {
			at = time.UnixMilli(record.Timestamp)
		}
		break
	}
	return at, nil
}

// suspects reads the records of some offsets, which are sorted. removed is how many of them the topic does not have any
// more. The others without a suspect never had a record, or one of an aborted transaction.
func (r *reader) suspects(
	ctx context.Context, partition int, offsets []int64,
) (found []suspect, removed int, err error) {
	for len(offsets) > 0 {
		answer, err := r.fetch(ctx, partition, offsets[0])
		if errors.Is(err, errRemoved) {
			first, _, err := r.topic.Bounds(ctx, partition)
			if err != nil {
				return nil, 0, err
			}
			for len(offsets) > 0 && offsets[0] < first {
				offsets, removed = offsets[1:], removed+1
			}
			continue
		}
		if err != nil {
			return nil, 0, err
		}
		before := len(offsets)
		for record, err := range answer.Records {
			if err != nil {
				return nil, 0, fmt.Errorf("partition %d: %w", partition, err)
			}
			for len(offsets) > 0 && offsets[0] < record.Offset {
				offsets = offsets[1:]
			}
			if len(offsets) == 0 {
				break
			}
			if offsets[0] == record.Offset {
				found = append(found, r.suspect(partition, record))
				offsets = offsets[1:]
			}
		}
		for len(offsets) > 0 && offsets[0] < answer.Next {
			offsets = offsets[1:]
		}
		if len(offsets) == before {
			return nil, 0, fmt.Errorf("read partition %d: the broker has nothing from offset %d on", partition,
				offsets[0])
		}
	}
	return found, removed, nil
}

// suspect reads one record, with the rules of the consumer.
func (r *reader) suspect(partition int, record *recordbatch.Record) suspect {
	s := suspect{received: time.UnixMilli(record.Timestamp)}
	s.Offset = record.Offset
	if envelope, err := event.ParseHeaders(record.Headers); err == nil {
		s.Project, s.EventID, s.received = envelope.Project, envelope.ID.String(), envelope.ReceivedAt
		if envelope.Format == outcome.Format {
			s.counts, _ = outcome.Decode(record.Value)
		}
	}
	envelope, err := event.DecodeRecord(&r.decoder, record.Value, record.Headers, rowbuilder.MaxRecordBytes, &r.event)
	if err == nil {
		at := event.IDTime(envelope.ID, r.event.Timestamp).Unix()
		s.key = identity{project: envelope.Project, minute: at - at%60, id: envelope.ID}
	}
	var dead counts.Counts
	letter := kafka.NewDeadLetter(record, "", "")
	dead.Dead(r.name, partition, &letter)
	s.dead = dead.Rows(counts.Range{}, "")[0]
	s.erased = r.erased.covers(s.Project, s.received, record)
	return s
}
