package gateway

import "github.com/valyala/fasthttp"

// Header values of the CORS protocol (the Fetch standard).
const (
	// corsAllowed lists the headers that a page may send, beside those that every page may send. Segment's client
	// counts its retries in X-Retry-Count, RudderStack's names its user in AnonymousId.
	corsAllowed = "Authorization, Content-Type, Content-Encoding, X-API-Key, X-Sentry-Auth, X-Request-Id, X-Sent-At, " +
		"Idempotency-Key, Traceparent, Tracestate, Baggage, X-Retry-Count, AnonymousId"
	// corsAnyMethod lets a page try a method that will be refused.
	corsAnyMethod = "GET, HEAD, POST, PUT, PATCH, DELETE"
	// corsMaxAge is how long browsers keep the answer to a preflight, in seconds: two hours, the most that Chromium
	// takes.
	corsMaxAge = "7200"
)

// corsSafelisted are the methods that browsers let pass whatever the answer to a preflight lists.
var corsSafelisted = []string{fasthttp.MethodGet, fasthttp.MethodHead, fasthttp.MethodPost}
