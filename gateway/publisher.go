package gateway

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"sluice/internal/event"
)

// Record is one event on its way to Kafka. Its bytes belong to the publisher: nobody writes to them any more.
type Record struct {
	Key     []byte // nil: any partition will do
	Value   []byte
	Headers []event.Header
}

// size is what a record takes in a batch, roughly: Kafka's own fields are a few bytes each.
func (r *Record) size() int {
	n := 32 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += 4 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// Producer writes batches to the events topic.
//
// The implementer owes: Produce returns nil only when every record of the batch is acknowledged by all in-sync replicas; an
// error may mean that the batch is on the topic all the same. It does not keep the records after it returned, unless its
// context ended first. Both methods may be called concurrently.
type Producer interface {
	Produce(ctx context.Context, partition int, records []Record) error
	// Partitions is how many partitions the topic has now.
	Partitions(ctx context.Context) (int, error)
}

const (
	// lanes is how many produce requests are under way at once. Each lane sends one batch at a time, so that batches grow
	// with the load by themselves.
	lanes = 4
	// maxBatchBytes and maxBatchRecords bound a produce request; the topic takes 2 MiB.
	maxBatchBytes   = 1900 << 10
	maxBatchRecords = 20_000
	// attemptTimeout bounds one produce request, so that a dead broker is noticed well within a request's deadline.
	attemptTimeout = 5 * time.Second
	partitionsAge  = 10 * time.Second
)

var (
	errOverloaded = errors.New("too many bytes wait for kafka")
	errDeadline   = errors.New("kafka did not acknowledge in time")
	// ErrRefused marks an error of Produce that no retry can mend.
	ErrRefused = errors.New("kafka refuses the batch for good")
)

// publisher gathers the records of concurrent requests into few produce requests.
//
//	request ─┐
//	request ─┼─▶ lane: queue ─▶ one batch under way ─▶ Kafka ─▶ every request of the batch is answered
//	request ─┘
//
// A lane sends what has queued up while its last batch was under way; a lone event leaves at once.
type publisher struct {
	producer   Producer
	metrics    *metrics
	log        *slog.Logger
	maxBytes   int64
	inflight   atomic.Int64
	partitions atomic.Int64
	turn       atomic.Uint32
	lanes      [lanes]*lane
}

func newPublisher(p Producer, maxBytes int64, m *metrics, log *slog.Logger) *publisher {
	pub := &publisher{producer: p, metrics: m, log: log, maxBytes: maxBytes}
	for i := range pub.lanes {
		pub.lanes[i] = &lane{pub: pub, index: i, wake: make(chan struct{}, 1)}
	}
	return pub
}

// chunk is a run of one request's records that fits into a batch; it is acknowledged as a whole.
type chunk struct {
	records   []Record
	size      int
	partition int // −1: any
	deadline  time.Time
	done      chan struct{}
	err       error // set before done is closed
}

func (c *chunk) finish(pub *publisher, err error) {
	c.err = err
	pub.inflight.Add(-int64(c.size))
	close(c.done)
}

// result is the chunk's error as far as it is known now.
func (c *chunk) result() error {
	if c.done == nil {
		return c.err // never queued
	}
	select {
	case <-c.done:
		return c.err
	default:
		return errDeadline
	}
}

// Publish hands records to Kafka and returns an error a record: nil is acknowledged, anything else is not known to be. It
// returns at the deadline at the latest; a record that was not sent by then is not sent any more.
func (p *publisher) Publish(records []Record, deadline time.Time) []error {
	errs := make([]error, len(records))
	chunks := p.split(records, deadline)
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	expired := false
	at := 0
	for _, c := range chunks {
		if c.done != nil && !expired {
			select {
			case <-c.done:
			case <-timer.C:
				expired = true
			}
		}
		err := c.result()
		for range c.records {
			errs[at] = err
			at++
		}
	}
	return errs
}

// split cuts the records into chunks and queues them. A chunk that cannot be queued has its error and no channel.
func (p *publisher) split(records []Record, deadline time.Time) []*chunk {
	var chunks []*chunk
	for from := 0; from < len(records); {
		partition := p.partitionOf(records[from].Key)
		size, to := 0, from
		for to < len(records) && to-from < maxBatchRecords && p.partitionOf(records[to].Key) == partition {
			n := records[to].size()
			if to > from && size+n > maxBatchBytes {
				break
			}
			size += n
			to++
		}
		c := &chunk{records: records[from:to], size: size, partition: partition, deadline: deadline}
		if p.inflight.Add(int64(size)) > p.maxBytes {
			p.inflight.Add(-int64(size))
			c.err = errOverloaded
		} else {
			c.done = make(chan struct{})
			p.laneOf(partition).push(c)
		}
		chunks = append(chunks, c)
		from = to
	}
	return chunks
}

// partitionOf maps a key to a partition, the same for all gateways as long as the number of partitions stays.
func (p *publisher) partitionOf(key []byte) int {
	n := p.partitions.Load()
	if key == nil || n == 0 {
		return -1
	}
	h := fnv.New32a()
	_, _ = h.Write(key)
	return int(int64(h.Sum32()) % n)
}

// laneOf picks the lane of a partition; each partition has one, so that its batches do not overtake each other.
func (p *publisher) laneOf(partition int) *lane {
	if partition >= 0 {
		return p.lanes[partition%lanes]
	}
	return p.lanes[p.turn.Add(1)%lanes]
}

// Run sends until ctx ends and every queue is empty. Requests must have stopped coming by then.
func (p *publisher) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, l := range p.lanes {
		all.Go(func() { l.run(ctx) })
	}
	all.Go(func() { p.watchPartitions(ctx) })
	all.Wait()
}

// watchPartitions learns how many partitions the topic has; until it knows, nothing can be sent.
func (p *publisher) watchPartitions(ctx context.Context) {
	wait := time.Duration(0)
	said := false
	for sleep(ctx, wait) {
		n, err := p.producer.Partitions(ctx)
		if err == nil && n > 0 {
			if p.partitions.Swap(int64(n)) != int64(n) {
				p.log.Info("topic found", "partitions", n)
			}
			wait, said = partitionsAge, false
			continue
		}
		if ctx.Err() != nil {
			return
		}
		if !said {
			p.log.Warn("kafka cannot be asked for the topic, retrying", "err", err)
			said = true
		}
		p.metrics.publishErrors.WithLabelValues("metadata").Inc()
		wait = 500 * time.Millisecond
	}
}

// sleep waits and says whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}
