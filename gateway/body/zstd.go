package body

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window of a frame, in bytes. RFC 9659 allows senders this much and requires it of
// receivers.
const zstdWindow = 8 << 20

// zstdSlots holds one decoder for each processor. The slots bound zstd's memory: a few bytes make a decoder reserve a
// window of up to 8 MiB, or of the body's limit if that is more. Decoding only computes, so a request that waits for
// a slot would otherwise wait for a processor.
type zstdSlots chan *zstd.Decoder

// newZstdSlots returns decoders for bodies of at most limit bytes.
func newZstdSlots(limit int) (zstdSlots, error) {
	// The decoder treats the content of a single-segment frame as its window.
	most := uint64(max(limit, zstdWindow))
	slots := make(zstdSlots, runtime.GOMAXPROCS(0))
	for range cap(slots) {
		z, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(1), // on the caller's goroutine
			zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(most),
			zstd.WithDecoderMaxMemory(most),
			zstd.WithDecodeBuffersBelow(0), // decode no more than drain reads
		)
		if err != nil {
			return nil, fmt.Errorf("zstd decoder: %w", err)
		}
		slots <- z
	}
	return slots, nil
}

// decode decompresses Zstandard (RFC 8878): any number of frames, skippable ones among them. It checks checksums. A
// frame that needs a dictionary is an error.
func (s zstdSlots) decode(wire *bytes.Buffer, dst *Buffer, limit int) error {
	z := <-s
	defer func() { s <- z }()
	if err := z.Reset(wire); err != nil {
		return fmt.Errorf("zstd: %w", err)
	}
	err := drain(z, wire, dst, limit)
	_ = z.Reset(nil) // releases the buffer; it cannot fail
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded): // a frame announces more than any body may have
		return ErrDecodedTooLarge
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		return ErrZstdWindow
	}
	return err
}
