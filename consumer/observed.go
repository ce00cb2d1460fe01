package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/consumer/kafka"
	"sluice/consumer/lag"
	"sluice/internal/recordbatch"
)

// kafkaHangs is how long Kafka may take for an answer, besides what it was told to wait, before the partition counts as
// blocked.
const kafkaHangs = 3 * time.Second

// outage is whether one kind of request to Kafka fails. It counts in sluice_consumer_blocked. It is safe for concurrent
// use.
type outage struct {
	blocked prometheus.Gauge

	mu    sync.Mutex
	on    bool
	ended bool
}

func (o *outage) set(on bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.ended:
		return
	case on && !o.on:
		o.blocked.Inc()
	case !on && o.on:
		o.blocked.Dec()
	}
	o.on = on
}

// end says that no more requests are sent. A timer that fires later changes nothing.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.on {
		o.blocked.Dec()
	}
	o.on, o.ended = false, true
}

// note takes how a request to Kafka ended. A request that its context ended says nothing.
func (o *outage) note(ctx context.Context, err error) {
	if ctx.Err() == nil {
		o.set(err != nil)
	}
}

// observeKafka makes the partition's requests to Kafka report to its lag, and to the gauge of what blocks it. The
// function that it returns ends that.
func (p *partition) observeKafka() func() {
	p.lag = p.metrics.lags.Of(p.topic, p.id)
	blocked := p.metrics.blocked.WithLabelValues(blockedKafka)
	reads, commits := &outage{blocked: blocked}, &outage{blocked: blocked}
	p.kafka = &observedSource{source: p.kafka, lag: p.lag, outage: reads}
	p.offsets = &observedOffsets{offsets: p.offsets, lag: p.lag, outage: commits}
	return func() {
		reads.end()
		commits.end()
	}
}

// observedSource reports what a source does.
type observedSource struct {
	source

	lag    *lag.Lag
	outage *outage
}

// Fetch reports the answer to lag once its records have been read.
func (s *observedSource) Fetch(
	ctx context.Context, partition int, offset int64, wait time.Duration,
) (*kafka.Answer, error) {
	hanging := time.AfterFunc(wait+kafkaHangs, func() { s.outage.set(true) })
	defer hanging.Stop()
	answer, err := s.source.Fetch(ctx, partition, offset, wait)
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
func (s *observedSource) Bounds(ctx context.Context, partition int) (first, end int64, err error) {
	first, end, err = s.source.Bounds(ctx, partition)
	s.outage.note(ctx, err)
	if err == nil {
		s.lag.Ends(end)
	}
	return first, end, err
}

// observedOffsets reports what offsets do.
type observedOffsets struct {
	offsets

	lag    *lag.Lag
	outage *outage
}

// Committed reports the offset to lag.
func (o *observedOffsets) Committed(ctx context.Context, partition int) (offset int64, metadata string, err error) {
	offset, metadata, err = o.offsets.Committed(ctx, partition)
	o.outage.note(ctx, err)
	if err == nil && offset >= 0 {
		o.lag.Owns(offset)
	}
	return offset, metadata, err
}

// Commit reports the offset to lag.
func (o *observedOffsets) Commit(
	ctx context.Context, m kafka.Member, partition int, offset int64, metadata string,
) error {
	err := o.offsets.Commit(ctx, m, partition, offset, metadata)
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
