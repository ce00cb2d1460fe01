package recordbatch

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"sluice/internal/kafkawire"
)

const (
	// maxPlain bounds a batch after decompression, in bytes.
	maxPlain = 256 << 20
	// maxKept is the largest buffer that a decompressor keeps for the next batch, in bytes.
	maxKept = 8 << 20
)

// The codecs in a batch's attributes. 0 is none.
const (
	codecGzip = 1 + iota
	codecSnappy
	codecLZ4
	codecZstd
)

// decompressor decompresses one batch after the other into the same memory. Each codec's state is made when it is first needed.
type decompressor struct {
	plain []byte // the last batch
	gzip  *gzip.Reader
	lz4   *lz4.Reader
	zstd  *zstd.Decoder
}

var errTooLarge = errors.New("it is larger than 256 MiB when decompressed")

// decompress returns the records of a batch. They are good until the next call.
func (d *decompressor) decompress(codec int16, b []byte) ([]byte, error) {
	var err error
	out := d.plain[:0]
	switch codec {
	case 0:
		return b, nil
	case codecGzip:
		out, err = d.gunzip(out, b)
	case codecSnappy:
		out, err = unsnap(out, b)
	case codecLZ4:
		if d.lz4 == nil {
			d.lz4 = lz4.NewReader(nil)
		}
		d.lz4.Reset(bytes.NewReader(b))
		out, err = readInto(out, d.lz4)
	case codecZstd:
		out, err = d.unzstd(out, b)
	default:
		return nil, fmt.Errorf("compression codec %d is not known", codec)
	}
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	d.plain = out
	if cap(out) > maxKept {
		d.plain = nil
	}
	return out, nil
}

func (d *decompressor) gunzip(out, b []byte) ([]byte, error) {
	if d.gzip == nil {
		d.gzip = new(gzip.Reader)
	}
	if err := d.gzip.Reset(bytes.NewReader(b)); err != nil {
		return out, err //nolint:wrapcheck // the caller does
	}
	return readInto(out, d.gzip)
}

func (d *decompressor) unzstd(out, b []byte) (_ []byte, err error) {
	if d.zstd == nil {
		if d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlain)); err != nil {
			return out, err //nolint:wrapcheck // the caller does
		}
	}
	return d.zstd.DecodeAll(b, out) //nolint:wrapcheck // the caller does
}

// readInto reads r to its end and appends to out.
func readInto(out []byte, r io.Reader) ([]byte, error) {
	for {
		if len(out) == cap(out) {
			out = append(out, make([]byte, max(64<<10, len(out)))...)[:len(out)]
		}
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		switch {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, err //nolint:wrapcheck // the caller does
		case len(out) > maxPlain:
			return out, errTooLarge
		}
	}
}

// xerial is how Java's snappy begins a stream of blocks. Other clients send one block without it.
var xerial = []byte("\x82SNAPPY\x00")

func unsnap(out, b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, xerial) {
		return unsnapBlock(out, b)
	}
	w := kafkawire.Reader{Rest: b}
	w.Skip(len(xerial) + 8) // two version numbers
	for len(w.Rest) > 0 {
		block := w.Bytes(int(w.Int32()))
		if w.Short {
			return out, io.ErrUnexpectedEOF
		}
		var err error
		if out, err = unsnapBlock(out, block); err != nil {
			return out, err
		}
	}
	return out, nil
}

func unsnapBlock(out, block []byte) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return out, err //nolint:wrapcheck // the caller does
	}
	if len(out)+n > maxPlain {
		return out, errTooLarge
	}
	start := len(out)
	if cap(out) < start+n {
		out = append(out, make([]byte, n)...)
	}
	out = out[:start+n]
	if _, err := s2.Decode(out[start:start+n:start+n], block); err != nil {
		return out, err //nolint:wrapcheck // the caller does
	}
	return out, nil
}
