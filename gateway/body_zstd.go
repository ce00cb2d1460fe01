package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window of a body's frames, in bytes: what RFC 9659 lets senders use and has receivers take.
const zstdWindow = 8 << 20

// errWindow: a frame asks for a window over zstdWindow, or has a block over its window.
var errWindow = errors.New("zstd window exceeded")

// zstdSlots are as many decoders as there are processors. They bound what zstd may take of memory: each keeps a window, of
// up to 8 MiB (or a body's limit, if that is more) on the word of a few bytes. Decoding only computes, so that a request
// which waits for a slot would have waited for a processor.
type zstdSlots chan *zstd.Decoder

// newZstdSlots makes decoders for bodies of at most limit bytes.
func newZstdSlots(limit int) (zstdSlots, error) {
	// A frame of one segment has no window but its content, which the decoder takes for one.
	most := uint64(max(limit, zstdWindow)) //nolint:gosec // never negative
	slots := make(zstdSlots, runtime.GOMAXPROCS(0))
	for range cap(slots) {
		z, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1), // on the caller's goroutine
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(most),
			zstd.WithDecoderMaxMemory(most),
			zstd.WithDecodeBuffersBelow(0), // never ahead of what is read: the limit is the reader's
		)
		if err != nil {
			return nil, fmt.Errorf("zstd decoder: %w", err)
		}
		slots <- z
	}
	return slots, nil
}

// decode reads Zstandard (RFC 8878): frames one after another, skippable ones among them, checksums included. A frame that
// needs a dictionary is an error, because there is none.
func (s zstdSlots) decode(wire *bytes.Buffer, dst *bodyBuffer, limit int) error {
	z := <-s
	defer func() { s <- z }()
	if err := z.Reset(wire); err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	err := drain(z, wire, dst, limit)
	_ = z.Reset(nil) // lets go of the buffer; it cannot fail
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded): // a frame says that it is larger than any body may be
		return errOverLimit
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return errWindow
	}
	return err
}
