package gateway

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// lane sends one batch at a time.
type lane struct {
	pub   *publisher
	index int
	turn  int
	wake  chan struct{}

	mu    sync.Mutex
	queue []*chunk
}

func (l *lane) push(c *chunk) {
	l.mu.Lock()
	l.queue = append(l.queue, c)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // the lane is awake already and will see it
	}
}

// run sends until ctx ends and the queue is empty.
func (l *lane) run(ctx context.Context) {
	for {
		batch := l.next()
		if len(batch) > 0 {
			l.send(batch)
			continue
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			if l.idle() {
				return
			}
		}
	}
}

func (l *lane) idle() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue) == 0
}

// next takes as many chunks as fit into one batch, all for one partition, in the order they came.
func (l *lane) next() []*chunk {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		return nil
	}
	partition := l.queue[0].partition
	bytes, records, n := 0, 0, 0
	for n < len(l.queue) {
		c := l.queue[n]
		if c.partition != partition || n > 0 && (bytes+c.size > maxBatchBytes || records+len(c.records) > maxBatchRecords) {
			break
		}
		bytes += c.size
		records += len(c.records)
		n++
	}
	batch := make([]*chunk, n)
	copy(batch, l.queue)
	rest := copy(l.queue, l.queue[n:])
	clear(l.queue[rest:]) // sent chunks must not be kept alive by the queue
	l.queue = l.queue[:rest]
	return batch
}

// send tries until the batch is acknowledged or the last of its requests has given up. It retries under no context but the
// requests' own deadlines: a drain waits for what was promised to be tried.
func (l *lane) send(batch []*chunk) {
	backoff := 20 * time.Millisecond
	for {
		batch = l.dropExpired(batch)
		if len(batch) == 0 {
			return
		}
		err := l.attempt(batch)
		if err == nil || errors.Is(err, ErrRefused) {
			for _, c := range batch {
				c.finish(l.pub, err)
			}
			return
		}
		sleep(context.Background(), backoff/2+rand.N(backoff))
		backoff = min(2*backoff, time.Second)
	}
}

func (l *lane) dropExpired(batch []*chunk) []*chunk {
	now := time.Now()
	alive := batch[:0]
	for _, c := range batch {
		if now.Before(c.deadline) {
			alive = append(alive, c)
		} else {
			c.finish(l.pub, errDeadline)
		}
	}
	return alive
}

func (l *lane) attempt(batch []*chunk) error {
	partitions := int(l.pub.partitions.Load())
	if partitions == 0 {
		return errors.New("the topic's partitions are not known yet")
	}
	partition := batch[0].partition
	if partition < 0 {
		// The lane goes round its own partitions, a batch each; after an error the next attempt is on another one.
		partition = (l.index + l.turn*lanes) % partitions
		l.turn++
	}
	var records []Record
	if len(batch) == 1 {
		records = batch[0].records
	} else {
		for _, c := range batch {
			records = append(records, c.records...)
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), l.until(batch))
	defer cancel()
	start := time.Now()
	err := l.pub.producer.Produce(ctx, partition, records)
	l.pub.metrics.publishDuration.Observe(time.Since(start).Seconds())
	if err != nil {
		l.pub.metrics.publishErrors.WithLabelValues(publishReason(err)).Inc()
		l.pub.log.Warn("kafka did not take a batch", "partition", partition, "records", len(records), "err", err)
	}
	return err
}

// until is when an attempt is given up: at the latest deadline of its requests, or sooner to try again.
func (l *lane) until(batch []*chunk) time.Time {
	last := batch[0].deadline
	for _, c := range batch[1:] {
		if c.deadline.After(last) {
			last = c.deadline
		}
	}
	if soon := time.Now().Add(attemptTimeout); soon.Before(last) {
		return soon
	}
	return last
}

func publishReason(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, ErrRefused):
		return "refused"
	default:
		return "unavailable"
	}
}
