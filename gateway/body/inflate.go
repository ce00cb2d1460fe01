package body

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
)

// The pools keep readers for the next body. A reader is reset before each use.
var gzipReaders, zlibReaders sync.Pool

// gunzip decompresses gzip (RFC 1952) of one or several members. It checks checksums and lengths.
func gunzip(wire *bytes.Buffer, dst *Buffer, limit int) error {
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

// zlibMethod is the lower half of the first byte of every zlib stream: compression method 8 (RFC 1950). A bare
// deflate stream begins with it only if its first block is stored and has a bit set in its padding. No encoder writes
// that.
const zlibMethod = 8

// inflate decompresses what HTTP calls deflate: the zlib format (RFC 9110, section 8.4.1.2), or the bare deflate (RFC
// 1951) that some clients send under that name. The first byte decides which one, so each input has one meaning.
func inflate(wire *bytes.Buffer, dst *Buffer, limit int) error {
	if wire.Bytes()[0]&0x0F == zlibMethod {
		return unzlib(wire, dst, limit)
	}
	// Each body gets a new reader. A reset one keeps the code tables of the last stream and uses them for a block
	// that defines none. The checksums of gzip and zlib detect that; bare deflate has no checksum.
	zr := flate.NewReader(wire)
	return drain(zr, wire, dst, limit)
}

func unzlib(wire *bytes.Buffer, dst *Buffer, limit int) error {
	zr, ok := zlibReaders.Get().(io.Reader)
	var err error
	if ok {
		err = zr.(zlib.Resetter).Reset(wire, nil) // zlib.NewReader documents it
	} else {
		zr, err = zlib.NewReader(wire)
	}
	if err != nil {
		return fmt.Errorf("zlib header: %w", err)
	}
	defer zlibReaders.Put(zr)
	return drain(zr, wire, dst, limit)
}
