package body

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// freeBytes is how many bytes of each body do not count against the budget: a small event never depends on what others
// send. --max-inflight-requests bounds their sum, and --max-connections that of bodies whose project is not known yet.
const freeBytes = 8 << 10

// keepBuffer is the largest buffer, in bytes, that goes back to the pool. The garbage collector takes rare larger ones.
const keepBuffer = 8 << 20

var buffers = sync.Pool{New: func() any { return new(Buffer) }}

// Buffer holds one body while it is parsed. Not safe for concurrent use.
type Buffer struct {
	bytes.Buffer
	budget *budget   // nil: no budget
	held   int64     // bytes taken from the budget
	since  time.Time // when it first took some; see nobodys
	meter  meter     // part of the buffer, so that a body does not allocate one
}

// GetBuffer returns an empty buffer. The caller must release it.
func GetBuffer() *Buffer { return buffers.Get().(*Buffer) }

// Release returns the buffer to the pool and its memory to the budget. Nothing may refer to the buffer's bytes
// afterwards.
func (b *Buffer) Release() {
	if b.held > 0 {
		b.budget.give(b.held)
	}
	b.budget, b.held, b.since = nil, 0, time.Time{}
	if b.Cap() <= keepBuffer {
		b.Reset()
		buffers.Put(b)
	}
}

// ReadFrom implements io.ReaderFrom. It returns ErrNoRoom when the budget is used up.
func (b *Buffer) ReadFrom(r io.Reader) (int64, error) {
	if b.budget == nil {
		return b.Buffer.ReadFrom(r)
	}
	b.meter = meter{r, b}
	defer func() { b.meter = meter{} }()
	return b.Buffer.ReadFrom(&b.meter)
}

// nobodys makes a buffer count as that of a slow body: nobody knows yet whose body it is, and strangers may not use up
// the budget.
func (b *Buffer) nobodys() { b.since = time.Unix(0, 0) }

// known ends that.
func (b *Buffer) known() { b.since = time.Time{} }

// Write implements io.Writer, for what is made of a body. It returns ErrNoRoom when the budget is used up, and has
// written a part then.
func (b *Buffer) Write(p []byte) (int, error) {
	if b.budget == nil {
		return b.Buffer.Write(p)
	}
	written := 0
	for written < len(p) {
		room, ok := b.room()
		if !ok {
			return written, ErrNoRoom
		}
		n, _ := b.Buffer.Write(p[written:min(len(p), written+room)]) // it returns no error
		written += n
	}
	return written, nil
}

// Reserve takes n bytes from the budget, until Release, for memory outside the buffer. It returns ErrNoRoom when the
// budget is used up. Nothing may be written afterwards.
func (b *Buffer) Reserve(n int) error {
	if b.budget == nil || n <= 0 {
		return nil
	}
	if !b.budget.take(int64(n), false) {
		return ErrNoRoom
	}
	b.held += int64(n)
	return nil
}

// meter takes from the budget before it reads.
type meter struct {
	r  io.Reader
	of *Buffer
}

// Read implements io.Reader.
func (m *meter) Read(p []byte) (int, error) {
	room, ok := m.of.room()
	if !ok {
		return 0, ErrNoRoom
	}
	return m.r.Read(p[:min(len(p), room)])
}

// room returns how many bytes may follow. What the buffer takes from the budget doubles each time, as its memory does.
func (b *Buffer) room() (int, bool) {
	if room := freeBytes + b.held - int64(b.Len()); room > 0 {
		return int(room), true
	}
	now := time.Now()
	if b.since.IsZero() {
		b.since = now
	}
	more := int64(b.Len())
	if !b.budget.take(more, now.Sub(b.since) > slowAfter) {
		return 0, false
	}
	b.held += more
	return int(more), true
}

// reserve takes from the budget what a body of size bytes needs. It reports false if there is not enough.
func (b *Buffer) reserve(size int) bool {
	more := int64(size) - freeBytes - b.held
	if b.budget == nil || more <= 0 {
		return true
	}
	if !b.budget.take(more, false) {
		return false
	}
	b.held += more
	return true
}
