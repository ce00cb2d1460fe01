package publish

import (
	"math/bits"
	"sync/atomic"
	"time"

	"sluice/internal/recordbatch"
)

// chunk is records of one request that fit into a batch and are acknowledged together. Request and publisher both hold
// it: each may let go first, and the last one gives the memory back.
type chunk struct {
	records   []byte // a run, see recordbatch.AppendRecord
	count     int
	partition int // −1: any
	deadline  time.Time

	done     chan struct{} // gets one token when err is final
	err      error
	parts    []outcome // set when its records had different outcomes, in order; err is then one of theirs
	answered bool      // the request has taken the token
	holders  atomic.Int32
	pool     *requestPool

	accepted time.Time // when the spool accepted it; zero: it did not come from the spool

	attempts int          // produce requests that had it
	spooling [2]time.Time // when it began to be written to the spool, and was written; zero: it was not spooled
}

// outcome is what became of a run of records.
type outcome struct {
	records int
	err     error
}

// outcomes returns what became of the chunk's records.
func (c *chunk) outcomes() []outcome {
	if c.parts != nil {
		return c.parts
	}
	return []outcome{{c.count, c.err}}
}

// split makes two chunks of one that Kafka does not take as a whole. Each is acknowledged alone. They share the memory
// of c, so c must be held until both are finished and join has their outcomes. c has at least two records.
func (c *chunk) split() (first, second *chunk) {
	n := c.count / 2
	at := recordbatch.Skip(c.records, n)
	piece := func(records []byte, count int) *chunk {
		p := &chunk{
			records: records, count: count, partition: c.partition, deadline: c.deadline, accepted: c.accepted,
			done: make(chan struct{}, 1),
		}
		p.holders.Store(2) // its memory does not go into the pool
		return p
	}
	return piece(c.records[:at:at], n), piece(c.records[at:], c.count-n)
}

// join finishes a chunk whose pieces are finished. Its bytes in flight were counted off with theirs.
func (c *chunk) join(first, second *chunk) {
	c.parts = append(first.outcomes(), second.outcomes()...)
	c.attempts, c.spooling = max(first.attempts, second.attempts), first.spooling
	if c.err = first.err; c.err == nil {
		c.err = second.err
	}
	c.done <- struct{}{}
	c.release()
}

// size is the most bytes that the chunk takes in a batch before compression.
func (c *chunk) size() int { return len(c.records) + c.count*recordbatch.RecordOverhead }

// release lets go of the chunk for one of its holders.
func (c *chunk) release() {
	if c.holders.Add(-1) > 0 {
		return
	}
	select {
	case <-c.done: // the request did not take the token
	default:
	}
	power := bits.Len(uint(cap(c.records))) - 1
	*c = chunk{records: c.records[:0], done: c.done, pool: c.pool}
	if power <= largestChunk {
		c.pool.chunks[power-smallestChunk].Put(c)
	}
}

// flow is the bytes of chunks on their way to Kafka.
type flow struct {
	inflight atomic.Int64 // wait for Kafka's acknowledgement
	acked    atomic.Int64 // were acknowledged so far
}

// finish gives the chunk its outcome and lets go of it for the publisher.
func (c *chunk) finish(f *flow, err error) {
	c.err = err
	if err == nil {
		f.acked.Add(int64(c.size()))
	}
	f.inflight.Add(-int64(c.size()))
	c.done <- struct{}{}
	c.release()
}

// result returns the outcome for the request, or ErrDeadline while there is none.
func (c *chunk) result() error {
	if !c.answered {
		select {
		case <-c.done:
			c.answered = true
		default:
			return ErrDeadline
		}
	}
	return c.err
}
