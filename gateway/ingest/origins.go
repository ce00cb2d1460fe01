package ingest

import "github.com/valyala/fasthttp"

// CorsExposed lists our headers that a page may read.
const CorsExposed = "Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, X-Accepted-Events, X-Rejected-Events, " +
	"X-Sentry-Rate-Limits"

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
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, CorsExposed)
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
	h.Set(fasthttp.HeaderAccessControlExposeHeaders, CorsExposed)
}
