package ingest

import (
	"errors"
	"mime"
	"strings"

	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/internal/event"
)

// bodyLimit is the size limit of a route's bodies, with the reader that applies it.
type bodyLimit struct {
	reader *body.Reader
	bytes  int    // before and after decompression
	name   string // in a 413
}

func newBodyLimit(pool *body.Pool, bytes int, name string) bodyLimit {
	return bodyLimit{reader: pool.Reader(bytes), bytes: bytes, name: name}
}

// read reads the request's body into dst, which must be empty.
func (l *bodyLimit) read(ctx *fasthttp.RequestCtx, dst *body.Buffer) *Problem {
	return l.problem(l.reader.Read(ctx, dst))
}

// checkHead checks the headers that describe the body.
func (l *bodyLimit) checkHead(ctx *fasthttp.RequestCtx) *Problem {
	return l.problem(l.reader.CheckHead(ctx))
}

// problem maps an error of the reader to an answer.
func (l *bodyLimit) problem(err error) *Problem {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, body.ErrNoRoom):
		return errOverload
	case errors.Is(err, body.ErrDecodedTooLarge):
		return l.exceeded("The body, once decompressed, is larger than")
	case errors.Is(err, body.ErrTooLarge):
		return l.exceeded("The body is larger than")
	case errors.Is(err, body.ErrTooSlow):
		return Refuse(KindTimeout, "The body came too slowly.")
	case errors.Is(err, body.ErrTruncated):
		return Refuse(KindMalformed, "The body ended before its announced end.")
	case errors.Is(err, body.ErrEncoding):
		return Refuse(KindUnsupportedMediaType,
			"The content encoding is not supported; Accept-Encoding lists those that are.")
	case errors.Is(err, body.ErrZstdWindow):
		return Refuse(KindMalformed, "The body has a zstd window larger than 8 MiB, or a block larger than its window.")
	default:
		return Refuse(KindMalformed, "The body is not valid in its content encoding.")
	}
}

// exceeded refuses a body that is larger than the limit.
func (l *bodyLimit) exceeded(what string) *Problem {
	return tooLarge(what, l.name, int64(l.bytes), "bytes")
}

// BodyForm returns the form of the body that the Content-Type names. A missing Content-Type is JSON.
func BodyForm(ctx *fasthttp.RequestCtx) (event.Form, *Problem) {
	form, known := formOf(ctx.Request.Header.ContentType(), false)
	if !known {
		return event.FormJSON, errContentType
	}
	return form, nil
}

// BulkForm is BodyForm for many events. It also takes the other media types under which log shippers send JSON:
// application/octet-stream and every type with json in its name. Such a body has any of the forms of a bulk.
func BulkForm(ctx *fasthttp.RequestCtx) (event.Form, *Problem) {
	form, known := formOf(ctx.Request.Header.ContentType(), true)
	if !known {
		return event.FormJSON, errContentType
	}
	return form, nil
}

var errContentType = Refuse(KindUnsupportedMediaType,
	"The content type is not supported: use application/json, application/x-ndjson or text/plain, in UTF-8.")

// formOf reports whether a Content-Type is taken, and the form of its bodies. lenient takes those of BulkForm.
func formOf(header []byte, lenient bool) (event.Form, bool) {
	switch string(header) {
	case "", "application/json": // nearly all requests
		return event.FormJSON, true
	}
	media, params, err := mime.ParseMediaType(string(header))
	charset, given := params["charset"]
	if err != nil || given && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "utf8") {
		return event.FormJSON, false
	}
	switch media {
	case "application/json":
		return event.FormJSON, true
	case "application/x-ndjson":
		return event.FormNDJSON, true
	case "text/plain":
		return event.FormAuto, true
	}
	return event.FormAuto, lenient && (media == "application/octet-stream" || strings.Contains(media, "json"))
}
