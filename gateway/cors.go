package gateway

import "github.com/valyala/fasthttp"

// Header values of the CORS protocol (the Fetch standard).
const (
	// corsExposed lists our headers that a page may read.
	corsExposed = "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, X-Accepted-Events, X-Rejected-Events"
	// corsAllowed lists the headers that a page may send, beside those that every page may send.
	corsAllowed = "Authorization, Content-Type, Content-Encoding, X-API-Key, X-Sentry-Auth, X-Request-Id, X-Sent-At, " +
		"Idempotency-Key, Traceparent, Tracestate, Baggage"
	// corsAnyMethod lets a page try a method that will be refused.
	corsAnyMethod = "GET, HEAD, POST, PUT, PATCH, DELETE"
	// corsMaxAge is how long browsers keep the answer to a preflight, in seconds: two hours, the most that Chromium
	// takes.
	corsMaxAge = "7200"
)

// corsSafelisted are the methods that browsers let pass whatever the answer to a preflight lists.
var corsSafelisted = []string{fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost}

// answer sets the CORS headers, in place of those of an earlier call. It reports whether the request's origin may
// send. A request without an Origin header comes from no page and may.
//
// Credentials are never allowed: the key is in the request, and we read no cookies.
func (o *origins) answer(ctx *fasthttp.RequestCtx) bool {
	origin := ctx.Request.Header.Peek(fasthttp.HeaderOrigin)
	if len(origin) == 0 {
		if ctx.IsGet() || ctx.IsHead() {
			o.general(ctx) // a cache may give the answer to a page later
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

// general sets the CORS headers that hold for every origin: for answers that caches keep, and for requests that could
// not be read.
func (o *origins) general(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	if !o.Any() {
		h.Set(fasthttp.HeaderVary, fasthttp.HeaderOrigin)
		return
	}
	h.Set(fasthttp.HeaderAccessControlAllowOrigin, "*")
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, corsExposed)
}
