package gateway

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// The readers are made at their first use and reset for every other one.
var gzipReaders, zlibReaders sync.Pool

// gunzip reads gzip (RFC 1952): one member or several, checksums and lengths included.
func gunzip(wire *bytes.Buffer, dst *bodyBuffer, limit int) error {
	zr, ok := gzipReaders.Get().(*gzip.Reader)
	if !ok {
		zr = new(gzip.Reader)
	}
	defer gzipReaders.Put(zr)
	if err := zr.Reset(wire); err != nil {
		return fmt.Errorf("gzip header: %w", err)
	}
	return drain(zr, wire, dst, limit)
}

// zlibMethod is the lower half of the first byte of every zlib stream: compression method 8 (RFC 1950). No deflate stream
// begins with it but one whose first block is stored and has a bit set in its padding, which no encoder writes.
const zlibMethod = 8

// inflate reads what HTTP calls deflate: the zlib format (RFC 9110, section 8.4.1.2), or the bare deflate (RFC 1951) that
// some clients send under that name. The first byte decides, so that no input is tried twice and none has two meanings.
func inflate(wire *bytes.Buffer, dst *bodyBuffer, limit int) error {
	if wire.Bytes()[0]&0x0F == zlibMethod {
		return unzlib(wire, dst, limit)
	}
	// A new reader each time: a reset one keeps the code tables of the stream before, and reads by them where a block of this one
	// defines none. gzip and zlib have checksums against that; this form has none.
	zr := flate.NewReader(wire)
	return drain(zr, wire, dst, limit)
}

func unzlib(wire *bytes.Buffer, dst *bodyBuffer, limit int) error {
	zr, ok := zlibReaders.Get().(io.Reader)
	var err error
	if ok {
		err = zr.(zlib.Resetter).Reset(wire, nil) //nolint:forcetypeassert // the package promises it
	} else {
		zr, err = zlib.NewReader(wire)
	}
	if err != nil {
		return fmt.Errorf("zlib header: %w", err)
	}
	defer zlibReaders.Put(zr)
	return drain(zr, wire, dst, limit)
}
