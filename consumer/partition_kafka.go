package consumer

import (
	"context"
	"errors"
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
	p.ledger = &observedLedger{ledger: p.ledger, lag: l, outage: commits}
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

func (s *observedSource) fetch(ctx context.Context, partition int, offset int64, wait time.Duration, each func(*record) error) (position, error) {
	hanging := time.AfterFunc(wait+hangs, func() { s.outage.set(true) })
	defer hanging.Stop()
	var own error // of each: not Kafka's
	next, at, some := offset, int64(0), false
	got, err := s.source.fetch(ctx, partition, offset, wait, func(r *record) error {
		if !some {
			some = true
			hanging.Stop() // from here on it can be ClickHouse that takes long
			s.outage.set(false)
			s.lag.arrives(r.offset, r.atMillis)
		}
		next, at = r.offset+1, r.atMillis
		own = each(r)
		return own
	})
	switch {
	case own != nil && errors.Is(err, own):
	case errors.Is(err, errOffsetOutOfRange): // an answer
		s.outage.heeds(ctx, nil)
	default:
		s.outage.heeds(ctx, err)
	}
	if err == nil || own != nil && got.highWatermark > 0 {
		s.lag.fetched(max(next, got.next), got.highWatermark, some, at)
	}
	return got, err
}

func (s *observedSource) bounds(ctx context.Context, partition int) (first, end int64, err error) {
	first, end, err = s.source.bounds(ctx, partition)
	s.outage.heeds(ctx, err)
	if err == nil {
		s.lag.ends(end)
	}
	return first, end, err
}

// observedLedger is a ledger that is looked at.
type observedLedger struct {
	ledger
	lag    *lag
	outage *outage
}

func (l *observedLedger) committed(ctx context.Context, partition int) (offset int64, metadata string, err error) {
	offset, metadata, err = l.ledger.committed(ctx, partition)
	l.outage.heeds(ctx, err)
	if err == nil && offset >= 0 {
		l.lag.owns(offset)
	}
	return offset, metadata, err
}

func (l *observedLedger) commit(ctx context.Context, m member, partition int, offset int64, metadata string) error {
	err := l.ledger.commit(ctx, m, partition, offset, metadata)
	if errors.Is(err, errNotOwner) { // an answer
		l.outage.heeds(ctx, nil)
		return err
	}
	l.outage.heeds(ctx, err)
	if err == nil {
		l.lag.commits(offset)
	}
	return err
}
