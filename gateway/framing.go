package gateway

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// framed says whether a request's head can be read in one way only. A proxy that reads it in another way sees other requests
// on the same connection than we do, which is how one client smuggles a request past another's checks. RFC 9112 lets a
// server repair most of this; the server underneath does, and nobody who means well sends it.
func framed(h *fasthttp.RequestHeader) bool {
	switch string(h.Protocol()) {
	case "HTTP/1.1", "HTTP/1.0":
	default:
		return false
	}
	length, chunked := false, false
	for raw := h.RawHeaders(); len(raw) > 0; {
		end := bytes.IndexByte(raw, '\n')
		if end < 1 || raw[end-1] != '\r' {
			return false // a bare LF ends the line for some and not for others
		}
		line := raw[:end-1]
		raw = raw[end+1:]
		if len(line) == 0 {
			break
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 1 || line[0] == '\t' || bytes.IndexByte(line[:colon], ' ') >= 0 {
			return false // a name with a space, or a line that continues the one before
		}
		switch name := line[:colon]; len(name) {
		case len(fasthttp.HeaderContentLength):
			length = length || bytes.EqualFold(name, []byte(fasthttp.HeaderContentLength))
		case len(fasthttp.HeaderTransferEncoding):
			if bytes.EqualFold(name, []byte(fasthttp.HeaderTransferEncoding)) {
				chunked = true
				if !bytes.EqualFold(bytes.TrimSpace(line[colon+1:]), []byte("chunked")) {
					return false
				}
			}
		}
	}
	return !length || !chunked
}

// unframed refuses a request that is not framed. Where it ends is not known, so that the connection ends with it.
func unframed(ctx *fasthttp.RequestCtx) {
	ctx.SetConnectionClose()
	errNotHTTP.write(ctx)
}

var errNotHTTP = refuse(kindMalformed, "The request is not valid HTTP.")
