package body

import (
	"io"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// The server reads the first bytes of a body together with the headers. The rest is cut by its progress and not by
// its total time: a phone on a slow line may take minutes, a client that sends a byte now and then to hold a
// connection may not.
const (
	// Silence is how long a client may send nothing in the middle of a request.
	Silence = 10 * time.Second
	// discardSilence is the same for a body that is refused already. It is shorter, because nobody waits for that body.
	discardSilence = time.Second
	// bodyWindow is how often the rate is checked. It must be at least 1 KiB/s.
	bodyWindow      = 30 * time.Second
	bodyWindowLeast = 30 << 10 // bytes
	// prefetched is how many bytes of a body fasthttp reads together with the headers, within the server's read
	// timeout.
	prefetched = 8 << 10
)

// progressReader reads a body up to a number of bytes. It moves the connection's read deadline with each read.
type progressReader struct {
	ctx        *fasthttp.RequestCtx
	stream     io.Reader
	left       int64 // bytes it may still read
	prefetched bool  // the whole body is in memory already
	silence    time.Duration
	until      time.Time // deadline of the last read
	since      time.Time // begin of the window
	got        int       // bytes in the window
}

var progressReaders = sync.Pool{New: func() any { return new(progressReader) }}

func newProgressReader(ctx *fasthttp.RequestCtx, stream io.Reader, silence time.Duration, most int64) *progressReader {
	n := ctx.Request.Header.ContentLength()
	r := progressReaders.Get().(*progressReader)
	*r = progressReader{ctx: ctx, stream: stream, left: most, silence: silence, prefetched: n >= 0 && n <= prefetched}
	return r
}

func (r *progressReader) release() {
	*r = progressReader{}
	progressReaders.Put(r)
}

// late reports whether the last read failed after its deadline. fasthttp calls a chunk that times out in its frame
// malformed, so its error does not tell.
func (r *progressReader) late() bool { return !r.until.IsZero() && !time.Now().Before(r.until) }

// Read implements io.Reader. It returns io.EOF after the allowed number of bytes and errBodyTooSlow when the rate is
// too low.
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
			return 0, ErrTooSlow
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

// Discard reads the rest of a refused body. A client that is still sending would otherwise see a reset connection
// in place of the answer. discardBody gives up after twice limit bytes, or when the client stalls; the connection
// then closes after the answer.
func Discard(ctx *fasthttp.RequestCtx, limit int) {
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
