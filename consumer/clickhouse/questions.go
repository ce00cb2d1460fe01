package clickhouse

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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

// from is where a question about a partition begins.
type from struct {
	topic     string
	partition int
	offset    int64
}

// needlessRows is about how many rows one question may read that none of its partitions asks for. Reading so many takes
// ClickHouse about as long as another question would.
const needlessRows = 4_000_000

// togetherFrom divides questions into lists that are asked at once. The partitions of a list are of one topic and begin
// at about the same offset, because all of them are read from the lowest one on: else one that begins at 0 would have
// ClickHouse read the whole table for each of the others as well.
func togetherFrom(all []from) (lists [][]from) {
	slices.SortFunc(all, func(a, b from) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.offset, b.offset), cmp.Compare(a.partition, b.partition))
	})
	needless, last := int64(0), from{}
	for _, f := range all {
		n := len(lists)
		if n > 0 {
			needless += min(f.offset-lists[n-1][0].offset, needlessRows+1)
		}
		if n == 0 || f.topic != last.topic || needless > needlessRows {
			lists, n, needless = append(lists, nil), n+1, 0
		}
		lists[n-1] = append(lists[n-1], f)
		last = f
	}
	return lists
}

// highest returns, by partition, the highest offset that the table has, if there is one from where the question begins
// on. The questions are one list of togetherFrom. Where the server does not allow so large a question, it asks halves.
func (s *session) highest(ctx context.Context, all []from) (map[int]int64, error) {
	partitions := make([]string, len(all))
	for i, f := range all {
		partitions[i] = strconv.Itoa(f.partition)
	}
	got := make(map[int]int64, len(all))
	condition := fmt.Sprintf("_topic = %s AND _partition IN (%s) AND _offset >= %d GROUP BY _partition",
		Quote(all[0].topic), strings.Join(partitions, ", "), all[0].offset)
	err := s.askPairs(ctx, "SELECT toInt64(_partition), max(_offset)", condition, func(partition, offset int64) {
		got[int(partition)] = offset
	})
	if err == nil || FaultOf(err) != FaultSize || len(all) == 1 {
		return got, err
	}
	clear(got)
	for _, half := range [][]from{all[:len(all)/2], all[len(all)/2:]} {
		part, err := s.highest(ctx, half)
		if err != nil {
			return nil, err
		}
		maps.Copy(got, part)
	}
	return got, nil
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
