package gateway

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// A body that is not read by the time the headers are is cut by its progress, not by its total time: a phone on a slow line
// may take minutes, a client that holds a connection open with a byte now and then may not.
const (
	bodySilence = 10 * time.Second
	// discardSilence is shorter: nobody waits for the rest of a body that is refused already.
	discardSilence  = time.Second
	bodyWindow      = 30 * time.Second
	bodyWindowLeast = 30 << 10 // bytes: 1 KiB a second over the window
	// prefetched is how much of a body fasthttp reads together with the headers, under the server's own read timeout.
	prefetched = 8 << 10
)

// firstGrowth is how many bytes a body is given room for on the word of its Content-Length; the rest comes with the bytes.
const firstGrowth = 64 << 10

// bodyLimit is the size limit of one path's bodies.
type bodyLimit struct {
	bytes int       // before and after decompression
	name  string    // what an answer calls it
	zstd  zstdSlots // for at least as many bytes

	budget *budget // what all bodies share; nil: no bound
}

// exceeded refuses a body that is larger than the limit.
func (l *bodyLimit) exceeded(what string) *problem {
	return tooLarge(what, l.name, int64(l.bytes), "bytes")
}

// readBody reads the request's body into dst, which is empty, at most the limit before and after decompression.
func readBody(ctx *fasthttp.RequestCtx, dst *bodyBuffer, limit *bodyLimit) *problem {
	coding, p := contentEncoding(ctx)
	if p != nil {
		return p
	}
	if n := ctx.Request.Header.ContentLength(); n > limit.bytes {
		return limit.exceeded("The body is larger than")
	}
	dst.budget = limit.budget
	if coding == codingNone {
		return readWire(ctx, dst, limit)
	}
	wire := buffers.Get().(*bodyBuffer) //nolint:forcetypeassert // the pool holds nothing else
	defer releaseBuffer(wire)
	wire.budget = limit.budget
	if p := readWire(ctx, wire, limit); p != nil {
		return p
	}
	return limit.decompress(coding, &wire.Buffer, dst)
}

// readWire reads the body as it comes over the connection.
func readWire(ctx *fasthttp.RequestCtx, dst *bodyBuffer, limit *bodyLimit) *problem {
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return nil
	}
	n := ctx.Request.Header.ContentLength()
	if n > 0 {
		dst.Grow(min(n, firstGrowth) + bytes.MinRead)
	}
	// One byte over the limit is read, to tell a body of just the limit from a larger one.
	r := newProgressReader(ctx, stream, bodySilence, int64(limit.bytes)+1)
	defer r.release()
	got, err := dst.ReadFrom(r)
	var timeout net.Error
	switch {
	case errors.Is(err, errNoRoom):
		return errOverload
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, errTooSlow), err != nil && r.late():
		return refuse(kindTimeout, "The body came too slowly.")
	case err != nil:
		return refuse(kindMalformed, "The body ended before its announced end.")
	case got > int64(limit.bytes):
		return limit.exceeded("The body is larger than")
	}
	return nil
}

var errTooSlow = errors.New("body slower than 1 KiB/s")

// progressReader reads a body up to a number of bytes and moves the connection's read deadline along with it.
type progressReader struct {
	ctx        *fasthttp.RequestCtx
	stream     io.Reader
	left       int64 // bytes that may still be read
	prefetched bool  // the whole body is in memory already
	silence    time.Duration
	until      time.Time // when the last Read had to be done
	since      time.Time
	got        int
}

var progressReaders = sync.Pool{New: func() any { return new(progressReader) }}

func newProgressReader(ctx *fasthttp.RequestCtx, stream io.Reader, silence time.Duration, most int64) *progressReader {
	n := ctx.Request.Header.ContentLength()
	r := progressReaders.Get().(*progressReader) //nolint:forcetypeassert // the pool holds nothing else
	*r = progressReader{ctx: ctx, stream: stream, left: most, silence: silence, prefetched: n >= 0 && n <= prefetched}
	return r
}

func (r *progressReader) release() {
	*r = progressReader{}
	progressReaders.Put(r)
}

// late says whether the last Read ended for its time: in the middle of a chunk's frame the server says that the frame is
// broken, and not why.
func (r *progressReader) late() bool { return !r.until.IsZero() && !time.Now().Before(r.until) }

// Read is part of io.Reader.
func (r *progressReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), r.left)]
	n, err := r.read(p)
	r.left -= int64(n)
	return n, err
}

func (r *progressReader) read(p []byte) (int, error) {
	if r.prefetched {
		return r.stream.Read(p)
	}
	now := time.Now()
	switch {
	case r.since.IsZero():
		r.since = now
	case now.Sub(r.since) >= bodyWindow:
		if r.got < bodyWindowLeast {
			return 0, errTooSlow
		}
		r.since, r.got = now, 0
	}
	r.until = now.Add(r.silence)
	if err := r.ctx.SetReadDeadline(r.until); err != nil {
		return 0, err
	}
	n, err := r.stream.Read(p)
	r.got += n
	return n, err
}

// discardBody reads what is left of a refused body, so that the client, which may still be sending, sees the answer and not
// a reset connection. It gives up on a client that sends twice the limit or stalls; the connection is closed then, after the
// answer.
func discardBody(ctx *fasthttp.RequestCtx, limit int) {
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return
	}
	most := 2 * int64(limit)
	r := newProgressReader(ctx, stream, discardSilence, most)
	defer r.release()
	if n, err := io.Copy(io.Discard, r); err != nil || n == most {
		ctx.SetConnectionClose()
	}
}
