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
	start, r := time.Now(), routeOf(ctx)
	if g.prepare(ctx, r) && g.checkHead(ctx, r) {
		return fasthttp.StatusContinue
	}
	g.finish(ctx, r, start)
	return ctx.Response.StatusCode()
}

// checkHead reports whether the handler is to see the request. If not, the request is answered.
func (g *Gateway) checkHead(ctx *fasthttp.RequestCtx, r *route) bool {
	switch {
	case r.protocol != nil && r.takes(ctx.Method()):
		return g.ingestHead(ctx, r.protocol)
	case r.protocol == nil && (ctx.IsGet() || ctx.IsHead()):
		return true // the handler answers it, whatever the path is
	default:
		g.notFound(ctx, r)
		return false
	}
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
