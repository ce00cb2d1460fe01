package publish

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"sluice/internal/recordbatch"
)

// Request is the records of one request, in order. It is for one goroutine, and is reused after Release.
type Request struct {
	chunks []*chunk
	timer  *time.Timer // kept for its memory
	pool   *requestPool
}

// requestPool is where requests and chunks come from and go back to. Chunks are pooled by size, in powers of two, so
// that a single event never holds the memory of a bulk. Its zero value is ready.
type requestPool struct {
	batch    batchBound
	requests sync.Pool
	chunks   [largestChunk - smallestChunk + 1]sync.Pool
}

const (
	smallestChunk = 10 // 1 KiB, as a power of two
	largestChunk  = 21 // 2 MiB: more than a batch takes
)

// batchBound bounds the bytes of a batch, before compression and without its header. Its zero value is maxBatchBytes.
type batchBound struct{ topic atomic.Int64 }

// bytes returns the bound. A single record may be larger: compressed, it may fit all the same.
func (b *batchBound) bytes() int {
	if b == nil {
		return maxBatchBytes
	}
	if n := b.topic.Load(); n > 0 {
		return int(min(maxBatchBytes, max(1, n-recordbatch.HeaderSize)))
	}
	return maxBatchBytes
}

// limit returns the largest batch that the topic takes, in bytes as it is sent; 0: not known.
func (b *batchBound) limit() int { return int(b.topic.Load()) }

// request returns an empty request.
func (p *requestPool) request() *Request {
	r, ok := p.requests.Get().(*Request)
	if !ok {
		r = &Request{pool: p}
	}
	return r
}

// chunk returns an empty chunk with room for size bytes, held by the caller.
func (p *requestPool) chunk(partition, size int) *chunk {
	power := max(smallestChunk, bits.Len(uint(size-1)))
	c, ok := p.chunks[power-smallestChunk].Get().(*chunk)
	if !ok {
		c = &chunk{pool: p, records: make([]byte, 0, 1<<power), done: make(chan struct{}, 1)}
	}
	c.partition = partition
	c.holders.Store(1)
	return c
}

// Add encodes one record for a partition; −1: any partition. A nil key is none. expect is roughly how many bytes of
// records the request may still have, this one included.
//
// Add copies all bytes: they lie in buffers that the next request reuses, while the publisher may hold the record for
// longer than this request lasts.
func (r *Request) Add(partition int, key, value []byte, h *recordbatch.Headers, id uuid.UUID, expect int) {
	tail, need := recordbatch.RecordSize(key, value, h)
	c := r.room(partition, need, expect)
	c.records = recordbatch.AppendRecord(c.records, tail, key, value, h, id)
	c.count++
}

// AddRun copies records that recordbatch.AppendRecord has encoded and that fit into one batch.
func (r *Request) AddRun(partition int, run []byte, records int) {
	c := r.room(partition, len(run)+(records-1)*recordbatch.RecordOverhead, 0)
	c.records = append(c.records, run...)
	c.count += records
}

// room returns a chunk that has room for need bytes.
func (r *Request) room(partition, need, expect int) *chunk {
	c, most := r.last(), r.pool.batch.bytes()
	if c == nil || c.partition != partition || c.count >= maxBatchRecords ||
		c.size()+need+recordbatch.RecordOverhead > most {
		c = r.pool.chunk(partition, min(max(need, min(expect, most)), maxBatchBytes))
		r.chunks = append(r.chunks, c)
	}
	return c
}

func (r *Request) last() *chunk {
	if len(r.chunks) == 0 {
		return nil
	}
	return r.chunks[len(r.chunks)-1]
}

// Outcomes calls each for every run of records with the same outcome, in order. A nil err is an acknowledgement. It
// comes after Publish.
func (r *Request) Outcomes(each func(records int, err error)) {
	for _, c := range r.chunks {
		err := c.result()
		if !c.answered || c.parts == nil {
			each(c.count, err)
			continue
		}
		for _, part := range c.parts {
			each(part.records, part.err)
		}
	}
}

// Err returns the outcome of a request of one record. It comes after Publish.
func (r *Request) Err() error { return r.chunks[0].result() }

// Delivery is how the acknowledged records of a request went.
type Delivery struct {
	// Attempts is how many produce requests the record had that needed most of them.
	Attempts int
	// Spooled is how many records went to the spool.
	Spooled int
	// SpoolFrom and SpoolTo are when the last of these were written.
	SpoolFrom, SpoolTo time.Time
}

// Delivery says how the records went. It comes after Outcomes.
func (r *Request) Delivery() (d Delivery) {
	for _, c := range r.chunks {
		if !c.answered {
			continue // the publisher has it still
		}
		d.Attempts = max(d.Attempts, c.attempts)
		if c.err == nil && !c.spooling[0].IsZero() {
			d.Spooled += c.count
			d.SpoolFrom, d.SpoolTo = c.spooling[0], c.spooling[1]
		}
	}
	return d
}

// fail gives all records the same outcome, before any is queued.
func (r *Request) fail(err error) {
	for _, c := range r.chunks {
		c.err, c.answered = err, true
	}
}

// Release gives the request back. The caller must not use it afterwards.
func (r *Request) Release() {
	for _, c := range r.chunks {
		c.release()
	}
	clear(r.chunks)
	*r = Request{chunks: r.chunks[:0], timer: r.timer, pool: r.pool}
	r.pool.requests.Put(r)
}

// startTimer starts the request's timer.
func (r *Request) startTimer(d time.Duration) *time.Timer {
	if r.timer == nil {
		r.timer = time.NewTimer(d)
	} else {
		r.timer.Reset(d) // it was stopped, and since Go 1.23 its channel holds nothing of an earlier run
	}
	return r.timer
}
