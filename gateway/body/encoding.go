package body

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/valyala/fasthttp"
)

// encoding is how a client compressed a body.
type encoding int

const (
	codingNone encoding = iota
	codingGzip
	codingDeflate
	codingZstd
	codingBrotli
	codingBase64 // never in a header
	codingSnappy
)

// AcceptedEncodings lists the supported encodings, for the Accept-Encoding of an answer 415 (RFC 9110, section 12.5.3).
const AcceptedEncodings = "gzip, deflate, zstd, br, identity"

// contentEncoding reads Content-Encoding: one coding, in any case. Two layers are not supported, whatever they are.
// No client needs them, and each layer multiplies what few bytes can grow to.
func contentEncoding(ctx *fasthttp.RequestCtx) (coding encoding, supported bool) {
	values := ctx.Request.Header.PeekAll(fasthttp.HeaderContentEncoding)
	switch len(values) {
	case 0:
		return codingNone, true
	case 1:
		return parseEncoding(bytes.TrimSpace(values[0]))
	}
	return codingNone, false
}

func parseEncoding(name []byte) (coding encoding, supported bool) {
	var lower [len("identity")]byte
	if len(name) > len(lower) {
		return codingNone, false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	switch string(lower[:len(name)]) {
	case "", "identity":
		return codingNone, true
	case "gzip", "x-gzip": // two names of one coding (RFC 9110, section 8.4.1.3)
		return codingGzip, true
	case "deflate":
		return codingDeflate, true
	case "zstd":
		return codingZstd, true
	case "br":
		return codingBrotli, true
	}
	return codingNone, false
}

// Decode decompresses wire into dst, which must be empty, for protocols whose clients do not name the encoding in a
// header. coding is gzip, deflate, zstd, br, base64 or Snappy; another one is ErrEncoding. Decode uses up wire and
// returns the errors of Read.
func (r *Reader) Decode(coding string, wire, dst *Buffer) error {
	known, ok := parseEncoding([]byte(coding))
	switch coding {
	case "base64":
		known, ok = codingBase64, true
	case Snappy:
		known, ok = codingSnappy, true
	}
	if !ok || known == codingNone {
		return ErrEncoding
	}
	dst.budget = &r.pool.budget
	return r.decompress(known, &wire.Buffer, dst)
}

// decompress writes the content of wire to dst, which must be empty. An empty body is valid in every encoding.
func (r *Reader) decompress(coding encoding, wire *bytes.Buffer, dst *Buffer) error {
	if wire.Len() == 0 {
		return nil
	}
	var err error
	switch coding {
	case codingGzip:
		err = gunzip(wire, dst, r.limit)
	case codingDeflate:
		err = inflate(wire, dst, r.limit)
	case codingZstd:
		err = r.pool.zstd.decode(wire, dst, r.limit)
	case codingBrotli:
		err = unbrotli(wire, dst, r.limit)
	case codingBase64:
		err = drain(base64.NewDecoder(base64.StdEncoding, wire), wire, dst, r.limit)
	case codingSnappy:
		err = unsnappy(wire, dst, r.limit)
	case codingNone:
		err = drain(wire, wire, dst, r.limit)
	}
	switch {
	case err == nil, errors.Is(err, ErrNoRoom), errors.Is(err, ErrDecodedTooLarge), errors.Is(err, ErrZstdWindow):
		return err
	default:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
}

var errTrailing = errors.New("bytes after the end of the compressed data")

// drain reads decoded, which itself reads wire, to its end. It writes at most one byte more than limit to dst. Bytes
// behind the end of the compressed data are an error.
func drain(decoded io.Reader, wire *bytes.Buffer, dst *Buffer, limit int) error {
	n, err := dst.ReadFrom(io.LimitReader(decoded, int64(limit)+1))
	switch {
	case n > int64(limit):
		return ErrDecodedTooLarge
	case err != nil:
		return err
	case wire.Len() > 0:
		return errTrailing
	}
	return nil
}
