package gateway

import (
	"bytes"
	"runtime"

	"github.com/andybalholm/brotli"
)

// brotliSlots are as many readers as there are processors, nil where none is made yet. They bound what brotli may take of
// memory: a reader has a window of up to 16 MiB (RFC 7932, section 9.1) on the word of a few bytes. Decoding only computes,
// so that a request which waits for a slot would have waited for a processor.
var brotliSlots = func() chan *brotli.Reader {
	slots := make(chan *brotli.Reader, runtime.GOMAXPROCS(0))
	for range cap(slots) {
		slots <- nil
	}
	return slots
}()

// unbrotli reads Brotli (RFC 7932), not its variant with large windows.
func unbrotli(wire *bytes.Buffer, dst *bodyBuffer, limit int) error {
	zr := <-brotliSlots
	// A reader is kept only after a body within the limit, whose window is hardly larger than the body.
	var keep *brotli.Reader
	defer func() { brotliSlots <- keep }()
	if zr == nil {
		zr = brotli.NewReader(wire)
	} else if err := zr.Reset(wire); err != nil {
		return err
	}
	if err := drain(zr, wire, dst, limit); err != nil {
		return err
	}
	keep = zr
	return nil
}
