package gateway

import (
	"errors"
	"sluice/gateway/body"

	"github.com/valyala/fasthttp"
)

// bodyLimit is the size limit of one path's bodies, and the reader that applies it.
type bodyLimit struct {
	reader *body.Reader
	bytes  int    // before and after decompression
	name   string // of the limit, in an answer
}

// limitBodies makes the readers of all bodies.
func (g *Gateway) limitBodies() (err error) {
	events, bulks := g.cfg.MaxEventBytes, g.cfg.MaxBulkBytes
	g.bodies, err = body.NewPool(body.Config{
		Budget: g.cfg.MaxBodyBytes, Largest: max(events, bulks), Silence: g.deps.bodySilence,
		Refused: func() { g.metrics.turnedAway(limitBodyBytes) },
	})
	if err != nil {
		return err
	}
	g.eventLimit = bodyLimit{reader: g.bodies.Reader(events), bytes: events, name: limitEventBytes}
	g.bulkLimit = bodyLimit{reader: g.bodies.Reader(bulks), bytes: bulks, name: limitBulkBytes}
	return nil
}

// read reads the request's body into dst, which must be empty.
func (l *bodyLimit) read(ctx *fasthttp.RequestCtx, dst *body.Buffer) *problem {
	return l.problem(l.reader.Read(ctx, dst))
}

// checkHead checks what the request's headers say about the body.
func (l *bodyLimit) checkHead(ctx *fasthttp.RequestCtx) *problem {
	return l.problem(l.reader.CheckHead(ctx))
}

// problem maps an error of the reader to an answer.
func (l *bodyLimit) problem(err error) *problem {
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
		return refuse(kindTimeout, "The body came too slowly.")
	case errors.Is(err, body.ErrTruncated):
		return refuse(kindMalformed, "The body ended before its announced end.")
	case errors.Is(err, body.ErrEncoding):
		return refuse(kindUnsupportedMediaType,
			"The content encoding is not supported; Accept-Encoding lists those that are.")
	case errors.Is(err, body.ErrZstdWindow):
		return refuse(kindMalformed, "The body has a zstd window larger than 8 MiB, or a block larger than its window.")
	default:
		return refuse(kindMalformed, "The body is not valid in its content encoding.")
	}
}

// exceeded refuses a body that is larger than the limit.
func (l *bodyLimit) exceeded(what string) *problem {
	return tooLarge(what, l.name, int64(l.bytes), "bytes")
}
