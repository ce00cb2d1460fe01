package clickhouse

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// storedRow is a row that the table has.
type storedRow struct {
	offset int64
	id     uuid.UUID
}

// ofPartition is the condition that a row is of a partition of a topic.
func ofPartition(topic string, partition int) string {
	return fmt.Sprintf("_topic = %s AND _partition = %d", Quote(topic), partition)
}

// present returns the rows that the table has between two offsets of a partition. Where the answer, or the way to it,
// is larger than the server allows, it asks for the halves.
func (s *session) present(
	ctx context.Context, topic string, partition int, first, last int64,
) (map[storedRow]struct{}, error) {
	there := make(map[storedRow]struct{})
	err := s.collect(ctx, ofPartition(topic, partition), first, last, there)
	return there, err
}

func (s *session) collect(ctx context.Context, of string, first, last int64, into map[storedRow]struct{}) error {
	var got []storedRow
	condition := fmt.Sprintf("%s AND _offset BETWEEN %d AND %d", of, first, last)
	err := s.ask(ctx, "SELECT _offset, event_id", condition, func(offset int64, id uuid.UUID) {
		got = append(got, storedRow{offset, id})
	})
	if err == nil {
		for _, row := range got {
			into[row] = struct{}{}
		}
		return nil
	}
	if FaultOf(err) != FaultSize || first == last {
		return err
	}
	middle := first + (last-first)/2
	if err := s.collect(ctx, of, first, middle, into); err != nil {
		return err
	}
	return s.collect(ctx, of, middle+1, last, into)
}

// highest returns the highest offset of a partition, at least from, or -1.
func (s *session) highest(ctx context.Context, topic string, partition int, from int64) (int64, error) {
	highest := int64(-1)
	condition := fmt.Sprintf("%s AND _offset >= %d HAVING count() > 0", ofPartition(topic, partition), from)
	err := s.ask(ctx, "SELECT max(_offset), any(event_id)", condition, func(offset int64, _ uuid.UUID) {
		highest = offset
	})
	return highest, err
}

// held counts the offsets of a partition between two, both included, that have a row.
func (s *session) held(ctx context.Context, topic string, partition int, from, to int64) (n int64, err error) {
	of := ofPartition(topic, partition)
	condition := fmt.Sprintf("%s AND _offset BETWEEN %d AND %d HAVING count() > 0", of, from, to)
	err = s.ask(ctx, "SELECT toInt64(uniqExact(_offset)), any(event_id)", condition, func(count int64, _ uuid.UUID) {
		n = count
	})
	return n, err
}
