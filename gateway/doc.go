// Package gateway is the edge: it takes events from clients over HTTP and puts them on Kafka.
//
// A 2xx is a promise. 202 means that Kafka acknowledged every accepted event with acks=all or, with a spool and while
// Kafka is away, that the event is fsynced on this machine's disk. Every other answer tells the client to send the
// events again, or to fix them:
//
//	202            kept; a bulk: at least one event kept, the answer names the others
//	400            malformed JSON, an invalid event, no event, a bulk without one valid event, two different keys
//	401 403        no valid key (one body for all reasons); the project is disabled or refuses the page's origin
//	404 405        unknown path; wrong method
//	408            the body stalled                                        retryable
//	413 414 431    over a limit, which the answer names
//	415            content type or encoding not supported
//	429            the project's rate limit, with Retry-After; an unknown
//	               key from an address that sent very many                 retryable
//	500            our fault                                               retryable
//	503            Kafka did not acknowledge in time, overload, draining   retryable
//
// After a 503 an event may have been kept all the same. The client sends it again with the same event_id and the same
// bytes, and it becomes one row. Events without an id need the same Idempotency-Key for that.
//
// To change something, read:
//
//	a path, its methods, metrics label, hints     routes.go; openapi.json beside it
//	the order in which a request is checked       ingest.go: process, admit
//	what one event, or a bulk, is answered        single.go, bulk.go
//	what a refusal looks like; status codes       answer.go
//	the rate limit of a request; the 429          quota.go; ratelimit for the buckets
//	keys; which projects are in force             auth.go; project.go, projects
//	received-at, sent_at, traceparent, event ids  stamp.go, identity.go
//	body sizes, content types                     bodies.go; body for reading and decompressing
//	request ids, CORS, OPTIONS, Expect, panics    middleware.go, cors.go
//	requests that are not valid HTTP              server.go; conn for framing and connections
//	overload, unknown keys, client addresses      overload.go, failedkeys.go; clientaddr
//	metrics; settings; wiring, draining           metrics.go; config.go; gateway.go
//	produce requests, outages, replay             publish, spool, broker, kafka
//	the log of refusals                           refusals
//
// Not obvious: fasthttp reuses a request's memory after its handler returns, and a batch may outlive the request.
// Events leave the request in one place, submission.encode, which copies them.
package gateway
