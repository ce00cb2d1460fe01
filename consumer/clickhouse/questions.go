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

// span is the offsets of a partition from first to last.
type span struct {
	topic       string
	partition   int
	first, last int64
}

func (s span) condition() string {
	return fmt.Sprintf("_partition = %d AND _offset BETWEEN %d AND %d", s.partition, s.first, s.last)
}

const (
	// askedRows is about how many rows one question asks for: the answer's memory, and how long the others wait for it.
	askedRows = 500_000
	// askedSpans keeps a question's text far below the 262,144 bytes that ClickHouse reads by default, and its answer
	// not much longer away than that to the question of one partition.
	askedSpans = 200
)

// togetherSpans divides spans into lists of at most so many that are asked for at once. Those of a list are of one topic.
func togetherSpans(all []span, most int) (lists [][]span) {
	slices.SortStableFunc(all, func(a, b span) int { return cmp.Compare(a.topic, b.topic) })
	rows := int64(0)
	for i, s := range all {
		n := len(lists)
		rows += s.last - s.first + 1
		if i == 0 || s.topic != all[i-1].topic || rows > askedRows || len(lists[n-1]) == most {
			lists, n, rows = append(lists, nil), n+1, s.last-s.first+1
		}
		lists[n-1] = append(lists[n-1], s)
	}
	return lists
}

// stored is rows that a table has, by their partition.
type stored map[int]map[storedRow]struct{}

// present returns the rows that the table has of a list of togetherSpans. Where the answer, or the way to it, is larger
// than the server allows, it asks for the halves.
func (s *session) present(ctx context.Context, all []span) (stored, error) {
	there := make(stored, len(all))
	return there, s.collect(ctx, all, there)
}

func (s *session) collect(ctx context.Context, all []span, into stored) error {
	conditions := make([]string, len(all))
	for i, one := range all {
		conditions[i] = one.condition()
	}
	got := map[int][]storedRow{}
	condition := "_topic = " + Quote(all[0].topic) + " AND (" + strings.Join(conditions, " OR ") + ")"
	err := s.askStored(ctx, condition, func(partition int, row storedRow) {
		got[partition] = append(got[partition], row)
	})
	if err == nil {
		for partition, rows := range got {
			if into[partition] == nil {
				into[partition] = make(map[storedRow]struct{}, len(rows))
			}
			for _, row := range rows {
				into[partition][row] = struct{}{}
			}
		}
		return nil
	}
	if FaultOf(err) != FaultSize || len(all) == 1 && all[0].first == all[0].last {
		return err
	}
	for _, half := range halves(all) {
		if err := s.collect(ctx, half, into); err != nil {
			return err
		}
	}
	return nil
}

// halves divides a list, or the offsets of its only span.
func halves(all []span) [2][]span {
	if middle := len(all) / 2; middle > 0 {
		return [2][]span{all[:middle], all[middle:]}
	}
	low, high := all[0], all[0]
	low.last = low.first + (low.last-low.first)/2
	high.first = low.last + 1
	return [2][]span{{low}, {high}}
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
	condition := fmt.Sprintf("%s AND _offset BETWEEN %d AND %d", of, from, to)
	err = s.askPairs(ctx, "SELECT toInt64(uniqExact(_offset)), toInt64(0)", condition, func(count, _ int64) { n = count })
	return n, err
}
