package gateway

import (
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// expect answers "Expect: 100-continue". A client that waits for leave to send its body gets 100 only if nothing in the
// request's head stands against the request; otherwise it gets the refusal at once and need not send the body.
func (g *Gateway) expect(ctx *fasthttp.RequestCtx) int {
	start, welcome := time.Now(), false
	g.dispatch(ctx, func(ctx *fasthttp.RequestCtx) { welcome = g.checkHead(ctx) })
	if welcome {
		return fasthttp.StatusContinue
	}
	g.finish(ctx, start)
	return ctx.Response.StatusCode()
}

// checkHead reports whether the handler is to see the request. If not, the request is answered.
func (g *Gateway) checkHead(ctx *fasthttp.RequestCtx) (welcome bool) {
	limit := g.limitOf(ctx.URI().PathOriginal())
	switch {
	case limit != nil && ctx.IsPost():
		g.handle(ctx, func(ctx *fasthttp.RequestCtx, _ *stamp) *problem {
			p := checkBodyHead(ctx, limit)
			welcome = p == nil
			return p
		})
	case limit == nil && (ctx.IsGet() || ctx.IsHead()):
		return true // the handler answers it, whatever the path is
	default:
		g.elsewhere(ctx).write(ctx)
	}
	return welcome
}

// limitOf is the limit of the bodies that a path takes; nil if it takes none.
func (g *Gateway) limitOf(path []byte) *bodyLimit {
	switch string(path) {
	case pathEvents:
		return &g.eventLimit
	case pathBulk:
		return &g.bulkLimit
	}
	return nil
}

// checkBodyHead checks what the headers say about the body.
func checkBodyHead(ctx *fasthttp.RequestCtx, limit *bodyLimit) *problem {
	if _, p := bodyForm(ctx); p != nil {
		return p
	}
	return limit.checkHead(ctx)
}

// knownMethod reports whether the router knows the request's method.
func knownMethod(ctx *fasthttp.RequestCtx) bool {
	return slices.Contains(fiber.DefaultMethods, string(ctx.Method()))
}
