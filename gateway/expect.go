package gateway

import (
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// headOnly is the user value of a request whose client waits for leave to send the body.
type headOnly struct{}

// headOnlyState says what the head of such a request came to.
type headOnlyState struct{ mayContinue bool }

// expect answers "Expect: 100-continue". A client that waits for leave to send its body gets 100 only if the request's head
// is no reason to refuse it. Otherwise the client gets the refusal at once and need not send the body.
func expect(ctx *fasthttp.RequestCtx, handler fasthttp.RequestHandler) int {
	var state headOnlyState
	ctx.SetUserValue(headOnly{}, &state)
	handler(ctx)
	ctx.RemoveUserValue(headOnly{})
	if state.mayContinue {
		return fasthttp.StatusContinue
	}
	return ctx.Response.StatusCode()
}

// mayContinue reports whether the client has got leave to send the body, and the request no answer yet.
func mayContinue(ctx *fasthttp.RequestCtx) bool {
	state, is := ctx.UserValue(headOnly{}).(*headOnlyState)
	return is && state.mayContinue
}

// answerExpect is the middleware that checks the head of a request whose client waits.
func (g *Gateway) answerExpect(c *fiber.Ctx) error {
	ctx := c.Context()
	state, is := ctx.UserValue(headOnly{}).(*headOnlyState)
	if !is {
		return c.Next()
	}
	state.mayContinue = g.checkHead(ctx, routeOf(ctx))
	return nil
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

// nameUnknownMethods gives methods that Fiber does not know the name of one that it knows and no route takes. Fiber would
// answer them by itself, in front of all middleware.
func nameUnknownMethods(handler fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if !slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			ctx.Request.Header.SetMethod(fiber.MethodTrace)
		}
		handler(ctx)
	}
}
