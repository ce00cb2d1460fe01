package gateway

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"
)

// freeBody is how many bytes of each body no budget is asked for. With --max-inflight-requests it is bounded all the same.
const freeBody = 8 << 10

// buffers hold bodies while they are parsed. What outlives the request is copied out of them.
var buffers = sync.Pool{New: func() any { return new(bodyBuffer) }}

// keepBuffer is the largest buffer that goes back into the pool; a rare giant is left to the garbage collector.
const keepBuffer = 8 << 20

// bodyBuffer holds one body, and what it took of the budget for that.
type bodyBuffer struct {
	bytes.Buffer
	budget *budget // nil: none
	held   int64
	since  time.Time // when it first took something
	meter  bodyMeter // here so that it need not be made for each body
}

func releaseBuffer(b *bodyBuffer) {
	if b.held > 0 {
		b.budget.give(b.held)
	}
	b.budget, b.held, b.since = nil, 0, time.Time{}
	if b.Cap() <= keepBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// ReadFrom is part of io.ReaderFrom. It ends with errNoRoom when the budget has none left.
func (b *bodyBuffer) ReadFrom(r io.Reader) (int64, error) {
	if b.budget == nil {
		return b.Buffer.ReadFrom(r)
	}
	b.meter = bodyMeter{r, b}
	defer func() { b.meter = bodyMeter{} }()
	return b.Buffer.ReadFrom(&b.meter)
}

var errNoRoom = errors.New("no room for more bytes of bodies")

// bodyMeter makes room in the budget before it reads.
type bodyMeter struct {
	r  io.Reader
	of *bodyBuffer
}

// Read is part of io.Reader. It reads no more than room was made for.
func (m *bodyMeter) Read(p []byte) (int, error) {
	room, ok := m.of.room()
	if !ok {
		return 0, errNoRoom
	}
	return m.r.Read(p[:min(len(p), room)])
}

// room is how many bytes may come next. It doubles with what is there, as the memory behind it does.
func (b *bodyBuffer) room() (int, bool) {
	if room := freeBody + b.held - int64(b.Len()); room > 0 {
		return int(room), true
	}
	now := time.Now()
	if b.since.IsZero() {
		b.since = now
	}
	more := int64(b.Len())
	if !b.budget.take(more, now.Sub(b.since) > slowBody) {
		return 0, false
	}
	b.held += more
	return int(more), true
}
