package body

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// The errors of Reader. They may wrap a cause. No text repeats a byte of the body.
var (
	// ErrTooLarge: the body has more bytes than the reader's limit, as it was sent or, if the error is
	// ErrDecodedTooLarge, once decompressed.
	ErrTooLarge        = errors.New("body larger than the limit")
	ErrDecodedTooLarge = fmt.Errorf("%w once decompressed", ErrTooLarge)
	// ErrTooSlow: no byte came for Config.Silence, or fewer than 1 KiB/s over 30 seconds.
	ErrTooSlow = errors.New("body too slow")
	// ErrTruncated: the connection ended before the body did, or the body's chunks are malformed.
	ErrTruncated = errors.New("body ends early")
	// ErrEncoding: the Content-Encoding is none of AcceptedEncodings, or there are several.
	ErrEncoding = errors.New("content encoding not supported")
	// ErrCorrupt: the body is not valid in its Content-Encoding. ErrZstdWindow is the one cause that has an error of
	// its own.
	ErrCorrupt    = errors.New("body not valid in its content encoding")
	ErrZstdWindow = fmt.Errorf("%w: zstd window or block too large", ErrCorrupt)
	// ErrNoRoom: the memory that all bodies share is used up.
	ErrNoRoom = errors.New("no memory left for bodies")
)

// Pool is what all bodies of a process share: a budget of memory and the zstd decoders. Safe for concurrent use.
type Pool struct {
	budget  budget
	zstd    zstdSlots
	silence time.Duration
}

// Config configures a Pool.
type Config struct {
	// Budget is how many bytes all bodies together may hold, without the first 8 KiB of each. 0 is no bound.
	Budget int64
	// Largest is the largest limit of any reader, in bytes.
	Largest int
	// Silence is how long a client may send nothing in the middle of a body. 0 is the default of 10 s.
	Silence time.Duration
	// Refused is called each time that a body finds no room in the budget. It must be safe for concurrent use.
	Refused func()
}

// NewPool returns an empty pool.
func NewPool(cfg Config) (*Pool, error) {
	slots, err := newZstdSlots(cfg.Largest)
	if err != nil {
		return nil, err
	}
	p := &Pool{zstd: slots, silence: cmp.Or(cfg.Silence, Silence)}
	p.budget.most, p.budget.refused = cfg.Budget, cfg.Refused
	return p, nil
}

// Used returns how many bytes the bodies hold now, without the first 8 KiB of each.
func (p *Pool) Used() int64 { return p.budget.used.Load() }

// Reader returns a reader of bodies of at most limit bytes, before and after decompression.
func (p *Pool) Reader(limit int) *Reader { return &Reader{limit: limit, pool: p} }

// Reader reads and decompresses bodies of a limited size. Safe for concurrent use.
type Reader struct {
	limit int // bytes
	pool  *Pool
}

// CheckHead checks what a request's headers say about its body. It returns ErrEncoding or ErrTooLarge.
func (r *Reader) CheckHead(ctx *fasthttp.RequestCtx) error {
	_, err := r.coding(ctx)
	return err
}

func (r *Reader) coding(ctx *fasthttp.RequestCtx) (encoding, error) {
	coding, ok := contentEncoding(ctx)
	switch {
	case !ok:
		return codingNone, ErrEncoding
	case ctx.Request.Header.ContentLength() > r.limit:
		return codingNone, ErrTooLarge
	}
	return coding, nil
}

// Read reads the request's body into dst, decompressed. dst must be empty; its content is undefined after an error.
// Read returns the errors above.
func (r *Reader) Read(ctx *fasthttp.RequestCtx, dst *Buffer) error {
	coding, err := r.coding(ctx)
	if err != nil {
		return err
	}
	dst.budget = &r.pool.budget
	if coding == codingNone {
		return r.readWire(ctx, dst)
	}
	wire := GetBuffer()
	defer wire.Release()
	wire.budget = &r.pool.budget
	if err := r.readWire(ctx, wire); err != nil {
		return err
	}
	return r.decompress(coding, &wire.Buffer, dst)
}

// ReadAll reads all of src into dst, which must be empty. It returns ErrTooLarge, ErrNoRoom, or the error of src.
func (r *Reader) ReadAll(src io.Reader, dst *Buffer) error {
	dst.budget = &r.pool.budget
	got, err := dst.ReadFrom(io.LimitReader(src, int64(r.limit)+1))
	if err == nil && got > int64(r.limit) {
		return ErrTooLarge
	}
	return err
}

// firstGrowth is how many bytes a buffer reserves because a Content-Length announces them. More memory follows the
// bytes themselves.
const firstGrowth = 64 << 10

// readWire reads the body as the client sent it.
func (r *Reader) readWire(ctx *fasthttp.RequestCtx, dst *Buffer) error {
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return nil
	}
	if n := ctx.Request.Header.ContentLength(); n > 0 {
		dst.Grow(min(n, firstGrowth) + bytes.MinRead)
	}
	// One byte more than the limit tells a body that is too large from one that just fits.
	progress := newProgressReader(ctx, stream, r.pool.silence, int64(r.limit)+1)
	defer progress.release()
	got, err := dst.ReadFrom(progress)
	var timeout net.Error
	switch {
	case errors.Is(err, ErrNoRoom), errors.Is(err, ErrTooSlow):
		return err
	case errors.As(err, &timeout) && timeout.Timeout(), err != nil && progress.late():
		return ErrTooSlow
	case err != nil:
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	case got > int64(r.limit):
		return ErrTooLarge
	}
	return nil
}
