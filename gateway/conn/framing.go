package conn

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// Framed reports whether a request's head has only one reading. A proxy that reads the head in another way sees other
// requests on the connection than this server. With that, one client smuggles a request past another's checks. RFC
// 9112 lets a server repair most such heads, and fasthttp does. No honest client sends them.
//
// It is written by hand because fasthttp's parser has repaired the head by the time a handler sees it: only the raw
// bytes show the difference. BenchmarkFramed has the cost.
func Framed(h *fasthttp.RequestHeader) bool {
	switch string(h.Protocol()) {
	case "HTTP/1.1", "HTTP/1.0":
	default:
		return false
	}
	length, chunked := false, false
	for raw := h.RawHeaders(); len(raw) > 0; {
		end := bytes.IndexByte(raw, '\n')
		if end < 1 || raw[end-1] != '\r' {
			return false // a bare LF ends the line for some readers only
		}
		line := raw[:end-1]
		raw = raw[end+1:]
		if len(line) == 0 {
			break
		}
		colon := bytes.IndexByte(line, ':')
		if colon < 1 || line[0] == '\t' || bytes.IndexByte(line[:colon], ' ') >= 0 {
			return false // a name with a space, or a line that continues the previous one
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
