package gateway

import (
	"slices"
	"sluice/gateway/body"

	"github.com/valyala/fasthttp"
)

// What browsers are told (the CORS protocol of the Fetch standard).
const (
	// corsExposed are the headers of ours that a page may read.
	corsExposed = "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, X-Accepted-Events, X-Rejected-Events"
	// corsAllowed are the headers that a page may send beside those that need no leave.
	corsAllowed = "Authorization, Content-Type, Content-Encoding, X-API-Key, X-Sentry-Auth, X-Request-Id, X-Sent-At, " +
		"Idempotency-Key, Traceparent, Tracestate, Baggage"
	// corsAnyMethod are the methods that a page may try where it will be refused.
	corsAnyMethod = "GET, HEAD, POST, PUT, PATCH, DELETE"
	// corsMaxAge is how long a preflight's answer holds, in seconds: two hours, the most that Chromium takes.
	corsMaxAge = "7200"
)

// corsSafelisted are the methods that pass whatever a preflight's answer lists.
var corsSafelisted = []string{fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost}

// answer sets what the answer says to browsers, in place of what an earlier call set, and reports whether a request from
// this origin is welcome. One without an Origin header comes from no page and always is.
//
// Credentials are never allowed: the key is in the request, and cookies mean nothing here.
func (o *origins) answer(ctx *fasthttp.RequestCtx) bool {
	origin := ctx.Request.Header.Peek(fasthttp.HeaderOrigin)
	if len(origin) == 0 {
		if ctx.IsGet() || ctx.IsHead() {
			o.general(ctx) // a cache may hand the answer to a page later
		}
		return true
	}
	h := &ctx.Response.Header
	if !o.Any() {
		h.Set(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
	}
	if !o.Admits(origin) {
		h.Del(fasthttp.HeaderAccessControlAllowOrigin)
		h.Del(fasthttp.HeaderAccessControlExposeHeaders)
		return false
	}
	if o.Any() {
		h.Set(fasthttp.HeaderAccessControlAllowOrigin, "*")
	} else {
		h.SetBytesV(fasthttp.HeaderAccessControlAllowOrigin, origin)
	}
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, corsExposed)
	return true
}

// general sets what holds whatever the origin is: for answers that caches keep, and to requests that could not be read.
func (o *origins) general(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	if !o.Any() {
		h.Set(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
		return
	}
	h.Set(fasthttp.HeaderAccessControlAllowOrigin, "*")
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, corsExposed)
}

// options answers OPTIONS, with or without a page behind it: 204 and what the path takes. A preflight comes before the key
// is known, so that the origins of all projects pass it; the request itself is then held against its own project's.
//
// A preflight for a path or a method that is not ours passes too. What a page gets to see of a preflight that fails is a
// network error; of the request behind it, the 404 or 405 that says what is wrong.
func (g *Gateway) options(ctx *fasthttp.RequestCtx, r *route, welcome bool) {
	h := &ctx.Response.Header
	allow, known := r.allow, r != otherRoute
	wanted := ctx.Request.Header.Peek(fasthttp.HeaderAccessControlRequestMethod)
	if !known && len(wanted) == 0 {
		g.notFound(ctx, r)
		return
	}
	body.Discard(ctx, g.cfg.MaxBulkBytes)
	if known {
		h.Set(fasthttp.HeaderAllow, allow+", "+fasthttp.MethodOptions)
	}
	h.Del(fasthttp.HeaderAccessControlExposeHeaders) // it belongs to the answer proper
	if len(wanted) > 0 && welcome {
		if !known || !slices.Contains(corsSafelisted, string(wanted)) {
			allow = corsAnyMethod
		}
		h.Set(fasthttp.HeaderAccessControlAllowMethods, allow)
		h.Set(fasthttp.HeaderAccessControlAllowHeaders, corsAllowed)
		h.Set(fasthttp.HeaderAccessControlMaxAge, corsMaxAge)
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}
