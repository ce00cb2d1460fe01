package observed

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/consumer/kafka"
	"sluice/consumer/lag"
	"sluice/internal/recordbatch"
)

// Hangs is how long Kafka may take for an answer, besides what it was told to wait, before the partition counts as
// blocked.
const Hangs = 3 * time.Second

// Source is where a partition reads from.
//
// The implementer owes: the records of an answer come in the order of offsets, none below the one asked for, and none
// that an aborted transaction wrote; see kafka.Answer. Bounds asks the partition's leader, as it was known at most
// a second ago. All methods return when ctx ends.
type Source interface {
	Fetch(ctx context.Context, partition int, offset int64, wait time.Duration) (*kafka.Answer, error)
	Bounds(ctx context.Context, partition int) (first, end int64, err error)
	Lineage(ctx context.Context, partition int, term int32) (kafka.Lineage, error)
}

// Offsets keeps how far a partition has come.
//
// The implementer owes: Commit returns nil only if the broker has stored the offset with its metadata, and ErrNotOwner
// if the partition is another member's; after any other error the commit may be stored, now or later. Committed sees
// all commits that were stored before it.
type Offsets interface {
	Committed(ctx context.Context, partition int) (offset int64, metadata string, err error)
	Commit(ctx context.Context, m kafka.Member, partition int, offset int64, metadata string) error
}

// Kafka makes the requests of a partition report to its lag, and to the gauge of what blocks it. After a call of the
// function that it returns, no request is counted as blocked any more.
func Kafka(s Source, o Offsets, l *lag.Lag, blocked prometheus.Gauge) (Source, Offsets, func()) {
	reads, commits := NewOutage(blocked), NewOutage(blocked)
	return &source{Source: s, lag: l, outage: reads}, &offsets{Offsets: o, lag: l, outage: commits}, func() {
		reads.end()
		commits.end()
	}
}

// source reports what a source does.
type source struct {
	Source

	lag    *lag.Lag
	outage *Outage
}

// Fetch reports the answer to lag once its records have been read.
func (s *source) Fetch(
	ctx context.Context, partition int, offset int64, wait time.Duration,
) (*kafka.Answer, error) {
	hanging := time.AfterFunc(wait+Hangs, func() { s.outage.Set(true) })
	defer hanging.Stop()
	answer, err := s.Source.Fetch(ctx, partition, offset, wait)
	if errors.Is(err, kafka.ErrOffsetOutOfRange) { // Kafka answered
		s.outage.note(ctx, nil)
		return nil, err
	}
	if s.outage.note(ctx, err); err != nil {
		return nil, err
	}
	records := answer.Records
	answer.Records = func(yield func(*recordbatch.Record, error) bool) {
		next, at, some := offset, int64(0), false
		for r, err := range records {
			if err != nil {
				s.outage.note(ctx, err)
				yield(nil, err)
				return
			}
			if !some {
				some = true
				s.lag.Arrives(r.Offset, r.Timestamp)
			}
			next, at = r.Offset+1, r.Timestamp
			if !yield(r, nil) {
				break
			}
		}
		s.lag.Fetched(max(next, answer.Next), answer.HighWatermark, some, at)
	}
	return answer, nil
}

// Bounds reports the end to lag.
func (s *source) Bounds(ctx context.Context, partition int) (first, end int64, err error) {
	first, end, err = s.Source.Bounds(ctx, partition)
	s.outage.note(ctx, err)
	if err == nil {
		s.lag.Ends(end)
	}
	return first, end, err
}

// offsets reports what offsets do.
type offsets struct {
	Offsets

	lag    *lag.Lag
	outage *Outage
}

// Committed reports the offset to lag.
func (o *offsets) Committed(ctx context.Context, partition int) (offset int64, metadata string, err error) {
	offset, metadata, err = o.Offsets.Committed(ctx, partition)
	o.outage.note(ctx, err)
	if err == nil && offset >= 0 {
		o.lag.Owns(offset)
	}
	return offset, metadata, err
}

// Commit reports the offset to lag.
func (o *offsets) Commit(
	ctx context.Context, m kafka.Member, partition int, offset int64, metadata string,
) error {
	err := o.Offsets.Commit(ctx, m, partition, offset, metadata)
	if errors.Is(err, kafka.ErrNotOwner) { // Kafka answered
		o.outage.note(ctx, nil)
		return err
	}
	o.outage.note(ctx, err)
	if err == nil {
		o.lag.Commits(offset)
	}
	return err
}
