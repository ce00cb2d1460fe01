package body

import (
	"bytes"
	"runtime"

	"github.com/andybalholm/brotli"
)

// brotliSlots holds one reader for each processor, or nil where none exists yet. The slots bound brotli's memory: a
// few bytes make a reader reserve a window of up to 16 MiB (RFC 7932, section 9.1). Decoding only computes, so a
// request that waits for a slot would otherwise wait for a processor.
var brotliSlots = func() chan *brotli.Reader {
	slots := make(chan *brotli.Reader, runtime.GOMAXPROCS(0))
	for range cap(slots) {
		slots <- nil
	}
	return slots
}()

// unbrotli decompresses Brotli (RFC 7932). The variant with large windows is an error.
func unbrotli(wire *bytes.Buffer, dst *Buffer, limit int) error {
	zr := <-brotliSlots
	// The slot keeps the reader only after a body within the limit: the window of that body is hardly larger than the
	// body.
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
