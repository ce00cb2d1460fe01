package gateway

import (
	"bytes"
	"errors"
	"io"

	"github.com/valyala/fasthttp"
)

// encoding is how a body is compressed on its way here.
type encoding int

const (
	codingNone encoding = iota
	codingGzip
	codingDeflate
	codingZstd
	codingBrotli
)

// acceptedEncodings is what an answer 415 tells a client to use (RFC 9110, section 12.5.3).
const acceptedEncodings = "gzip, deflate, zstd, br, identity"

// contentEncoding reads Content-Encoding: one coding, in any case. Two layers are refused whatever they are: nobody needs
// them, and each multiplies what few bytes can grow to.
func contentEncoding(ctx *fasthttp.RequestCtx) (encoding, *problem) {
	values := ctx.Request.Header.PeekAll(fasthttp.HeaderContentEncoding)
	if len(values) == 0 {
		return codingNone, nil
	}
	if len(values) == 1 {
		if e, known := parseEncoding(bytes.TrimSpace(values[0])); known {
			return e, nil
		}
	}
	return codingNone, refuse(kindUnsupportedMediaType, "The content encoding is not supported; Accept-Encoding lists those that are.")
}

func parseEncoding(name []byte) (encoding, bool) {
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
	case "gzip", "x-gzip": // one and the same (RFC 9110, section 8.4.1.3)
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

var (
	errOverLimit = errors.New("more bytes than the limit")
	errTrailing  = errors.New("bytes after the end of the compressed data")
)

// decompress puts what wire holds into dst, which is empty. A body of no bytes is an empty one in every encoding.
func (l *bodyLimit) decompress(e encoding, wire *bytes.Buffer, dst *bodyBuffer) *problem {
	if wire.Len() == 0 {
		return nil
	}
	var err error
	switch e {
	case codingGzip:
		err = gunzip(wire, dst, l.bytes)
	case codingDeflate:
		err = inflate(wire, dst, l.bytes)
	case codingZstd:
		err = l.zstd.decode(wire, dst, l.bytes)
	case codingBrotli:
		err = unbrotli(wire, dst, l.bytes)
	case codingNone:
		err = drain(wire, wire, dst, l.bytes)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errNoRoom):
		return errOverload
	case errors.Is(err, errOverLimit):
		return l.exceeded("The body, once decompressed, is larger than")
	case errors.Is(err, errWindow):
		return refuse(kindMalformed, "The body has a zstd window larger than 8 MiB, or a block larger than its window.")
	default:
		return refuse(kindMalformed, "The body is not valid in its content encoding.")
	}
}

// drain reads decoded, which reads wire, to its end. It never puts more than one byte beyond the limit into dst, and takes
// nothing for whole that has bytes behind its end.
func drain(decoded io.Reader, wire *bytes.Buffer, dst *bodyBuffer, limit int) error {
	n, err := dst.ReadFrom(io.LimitReader(decoded, int64(limit)+1))
	switch {
	case n > int64(limit):
		return errOverLimit
	case err != nil:
		return err
	case wire.Len() > 0:
		return errTrailing
	}
	return nil
}
