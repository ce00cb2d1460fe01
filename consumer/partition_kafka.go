package consumer

import (
	"context"
	"errors"
	"sluice/consumer/kafka"
	"sluice/internal/recordbatch"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// hangs is how long Kafka may take with an answer, besides what it was told to wait, before the partition counts as blocked.
const hangs = 3 * time.Second

// outage is whether one thing that is asked of Kafka fails. It counts in sluice_consumer_blocked.
type outage struct {
	blocked prometheus.Gauge

	mu    sync.Mutex
	on    bool
	ended bool // nothing more is heard
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

// end says that nothing is asked any more. A timer that goes off late changes nothing then.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.on {
		o.blocked.Dec()
	}
	o.on, o.ended = false, true
}

// heeds notes how a request to Kafka ended. A request that was broken off says nothing.
func (o *outage) heeds(ctx context.Context, err error) {
	if ctx.Err() == nil {
		o.set(err != nil)
	}
}

// observeKafka has everything that the partition asks of Kafka looked at: for its lag, and for whether Kafka is what it waits for. The
// function that it returns ends that.
func (p *partition) observeKafka() func() {
	l := p.metrics.lags.of(p.topic, p.id)
	p.lag = l
	reads, commits := &outage{blocked: p.metrics.blocked.WithLabelValues(blockedKafka)}, &outage{blocked: p.metrics.blocked.WithLabelValues(blockedKafka)}
	p.kafka = &observedSource{source: p.kafka, lag: l, outage: reads}
	p.ledger = &observedLedger{offsets: p.ledger, lag: l, outage: commits}
	return func() {
		reads.end()
		commits.end()
	}
}

// observedSource is a source that is looked at.
type observedSource struct {
	source
	lag    *lag
	outage *outage
}

// Fetch reports the answer to lag once its records have been read.
func (s *observedSource) Fetch(ctx context.Context, partition int, offset int64, wait time.Duration) (*kafka.Answer, error) {
	hanging := time.AfterFunc(wait+hangs, func() { s.outage.set(true) })
	defer hanging.Stop()
	answer, err := s.source.Fetch(ctx, partition, offset, wait)
	if errors.Is(err, kafka.ErrOffsetOutOfRange) { // Kafka answered
		s.outage.heeds(ctx, nil)
		return nil, err
	}
	if s.outage.heeds(ctx, err); err != nil {
		return nil, err
	}
	records := answer.Records
	answer.Records = func(yield func(*recordbatch.Record, error) bool) {
		next, at, some := offset, int64(0), false
		for r, err := range records {
			if err != nil {
				s.outage.heeds(ctx, err)
				yield(nil, err)
				return
			}
			if !some {
				some = true
				s.lag.arrives(r.Offset, r.Timestamp)
			}
			next, at = r.Offset+1, r.Timestamp
			if !yield(r, nil) {
				break
			}
		}
		s.lag.fetched(max(next, answer.Next), answer.HighWatermark, some, at)
	}
	return answer, nil
}

// Bounds reports the end to lag.
func (s *observedSource) Bounds(ctx context.Context, partition int) (first, end int64, err error) {
	first, end, err = s.source.Bounds(ctx, partition)
	s.outage.heeds(ctx, err)
	if err == nil {
		s.lag.ends(end)
	}
	return first, end, err
}

// observedLedger is a ledger that is looked at.
type observedLedger struct {
	offsets

	lag    *lag
	outage *outage
}

// Committed reports the offset to lag.
func (l *observedLedger) Committed(ctx context.Context, partition int) (offset int64, metadata string, err error) {
	offset, metadata, err = l.offsets.Committed(ctx, partition)
	l.outage.heeds(ctx, err)
	if err == nil && offset >= 0 {
		l.lag.owns(offset)
	}
	return offset, metadata, err
}

// Commit reports the offset to lag.
func (l *observedLedger) Commit(ctx context.Context, m kafka.Member, partition int, offset int64, metadata string) error {
	err := l.offsets.Commit(ctx, m, partition, offset, metadata)
	if errors.Is(err, kafka.ErrNotOwner) { // an answer
		l.outage.heeds(ctx, nil)
		return err
	}
	l.outage.heeds(ctx, err)
	if err == nil {
		l.lag.commits(offset)
	}
	return err
}
