package publish

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"sluice/internal/recordbatch"
)

// Request is the records of one request on their way to Kafka, in order, as chunks. It is reused; the chunks' memory is shared
// with the publisher until both have let go of it.
type Request struct {
	chunks []*chunk
	count  int         // records
	timer  *time.Timer // kept for its memory
	memory *parcelMemory
}

// parcelMemory is where parcels and chunks come from and go back to. Chunks are pooled by size, in powers of two, so that a
// single event never holds what a bulk needed. Its zero value is ready.
type parcelMemory struct {
	batch   batchBound
	parcels sync.Pool
	chunks  [largestChunk - smallestChunk + 1]sync.Pool
}

// batchBound is how many bytes a batch may have, before compression and without its header. Its zero value is maxBatchBytes.
type batchBound struct{ topic atomic.Int64 }

// bytes is the bound. A single record may be larger: compressed, it may fit all the same.
func (b *batchBound) bytes() int {
	if b == nil {
		return maxBatchBytes
	}
	if n := b.topic.Load(); n > 0 {
		return int(min(maxBatchBytes, max(1, n-recordbatch.HeaderSize)))
	}
	return maxBatchBytes
}

// limit is the largest batch that the topic takes, as it is sent, in bytes; 0: not known.
func (b *batchBound) limit() int { return int(b.topic.Load()) }

const (
	smallestChunk = 10 // 1 KiB, as a power of two
	largestChunk  = 21 // 2 MiB: more than a batch takes
)

// parcel makes an empty parcel.
func (m *parcelMemory) parcel() *Request {
	p, ok := m.parcels.Get().(*Request)
	if !ok {
		p = &Request{memory: m}
	}
	return p
}

// chunk makes an empty chunk with room for size bytes, held by the caller.
func (m *parcelMemory) chunk(partition, size int) *chunk {
	power := max(smallestChunk, bits.Len(uint(size-1))) //nolint:gosec // positive
	c, ok := m.chunks[power-smallestChunk].Get().(*chunk)
	if !ok {
		c = &chunk{memory: m, records: make([]byte, 0, 1<<power), done: make(chan struct{}, 1)}
	}
	c.partition = partition
	c.holders.Store(1)
	return c
}

// Add encodes one record. The bytes are copied here: they lie in buffers that the next request reuses, while the publisher may
// hold the record for longer than this request lasts. expect is how many more bytes of records may follow, roughly.
func (p *Request) Add(partition int, key, value []byte, h *recordbatch.Headers, id uuid.UUID, expect int) {
	tail, need := recordbatch.RecordSize(key, value, h)
	c := p.room(partition, need, expect)
	c.records = recordbatch.AppendRecord(c.records, tail, key, value, h, id)
	c.count++
	p.count++
}

// AddRun adds records that are encoded already, as recordbatch.AppendRecord does, and fit into one batch. The bytes are copied.
func (p *Request) AddRun(partition int, run []byte, records int) {
	c := p.room(partition, len(run)+(records-1)*recordbatch.RecordOverhead, 0)
	c.records = append(c.records, run...)
	c.count += records
	p.count += records
}

// room is a chunk that has room for one record more, or for that many bytes.
func (p *Request) room(partition, need, expect int) *chunk {
	c, most := p.last(), p.memory.batch.bytes()
	if c == nil || c.partition != partition || c.count >= maxBatchRecords || c.size()+need+recordbatch.RecordOverhead > most {
		c = p.memory.chunk(partition, min(max(need, min(expect, most)), maxBatchBytes))
		p.chunks = append(p.chunks, c)
	}
	return c
}

func (p *Request) last() *chunk {
	if len(p.chunks) == 0 {
		return nil
	}
	return p.chunks[len(p.chunks)-1]
}

// keep drops all records but the first n.
func (p *Request) keep(n int) {
	p.count = min(p.count, n)
	for i, c := range p.chunks {
		if c.count <= n {
			n -= c.count
			continue
		}
		if n > 0 {
			c.records, c.count = c.records[:recordbatch.Skip(c.records, n)], n
			i++
		}
		for _, c := range p.chunks[i:] {
			c.release()
		}
		p.chunks = p.chunks[:i]
		return
	}
}

// Outcomes calls each with every run of records that had the same fate, in order; nil is acknowledged.
func (p *Request) Outcomes(each func(records int, err error)) {
	for _, c := range p.chunks {
		err := c.result()
		if !c.settled || c.parts == nil {
			each(c.count, err)
			continue
		}
		for _, part := range c.parts {
			each(part.records, part.err)
		}
	}
}

// fail gives all records the same fate, before any is handed over.
func (p *Request) fail(err error) {
	for _, c := range p.chunks {
		c.err, c.settled = err, true
	}
}

// Err is the fate of a parcel of one record.
func (p *Request) Err() error { return p.chunks[0].result() }

// Release gives the parcel back.
func (p *Request) Release() {
	for _, c := range p.chunks {
		c.release()
	}
	clear(p.chunks)
	*p = Request{chunks: p.chunks[:0], timer: p.timer, memory: p.memory}
	p.memory.parcels.Put(p)
}

// chunk is a run of one request's records that fits into a batch; it is acknowledged as a whole. Request and publisher hold it
// together: the request may give up and go while the publisher still has it, and the other way round. Who lets go last
// gives its memory back.
type chunk struct {
	records   []byte // a run, see recordbatch.AppendRecord
	count     int
	partition int // −1: any
	deadline  time.Time

	done    chan struct{} // gets one token, when err is set for good
	err     error
	parts   []fate // when its records had different fates, in order; err is then one of theirs
	settled bool   // the request has had the token
	holders atomic.Int32
	memory  *parcelMemory

	accepted time.Time // when it went into the spool; zero: it has not been there
}

// fate is what became of a run of records.
type fate struct {
	records int
	err     error
}

// fates are what became of the chunk's records.
func (c *chunk) fates() []fate {
	if c.parts != nil {
		return c.parts
	}
	return []fate{{c.count, c.err}}
}

// cut makes two chunks of one that Kafka does not take as a whole: each is acknowledged by itself. They share its memory, so it
// must be held until both are finished; join gives it their fates then. At least two records.
func (c *chunk) cut() (first, second *chunk) {
	n := c.count / 2
	at := recordbatch.Skip(c.records, n)
	piece := func(records []byte, count int) *chunk {
		p := &chunk{records: records, count: count, partition: c.partition, deadline: c.deadline, done: make(chan struct{}, 1), accepted: c.accepted}
		p.holders.Store(2) // its memory goes nowhere
		return p
	}
	return piece(c.records[:at:at], n), piece(c.records[at:], c.count-n)
}

// join ends a chunk whose pieces are finished. What it counted as in flight is theirs, and gone with them.
func (c *chunk) join(first, second *chunk) {
	c.parts = append(first.fates(), second.fates()...)
	if c.err = first.err; c.err == nil {
		c.err = second.err
	}
	c.done <- struct{}{}
	c.release()
}

// size is what the chunk takes in a batch, in bytes, at most.
func (c *chunk) size() int { return len(c.records) + c.count*recordbatch.RecordOverhead }

// release lets go of the chunk for one of its holders.
func (c *chunk) release() {
	if c.holders.Add(-1) > 0 {
		return
	}
	select {
	case <-c.done: // for nobody
	default:
	}
	power := bits.Len(uint(cap(c.records))) - 1 //nolint:gosec // never negative
	*c = chunk{records: c.records[:0], done: c.done, memory: c.memory}
	if power <= largestChunk {
		c.memory.chunks[power-smallestChunk].Put(c)
	}
}

// finish gives the chunk its fate and lets go of it for the publisher.
func (c *chunk) finish(pub *Publisher, err error) {
	c.err = err
	if err == nil {
		pub.wait.acked.Add(int64(c.size()))
	}
	pub.inflight.Add(-int64(c.size()))
	c.done <- struct{}{}
	c.release()
}

// result is the chunk's error as far as it is known now, for the request.
func (c *chunk) result() error {
	if !c.settled {
		select {
		case <-c.done:
			c.settled = true
		default:
			return ErrDeadline
		}
	}
	return c.err
}

// alarm starts the parcel's timer.
func (p *Request) alarm(d time.Duration) *time.Timer {
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d) // it was stopped, and since Go 1.23 nothing of an earlier run is left in its channel then
	}
	return p.timer
}
