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
//	the way of a request with events              ingest
//	what clients of a protocol send and want      protocol, one file each
//	events over WebSocket                         stream
//	reading and decompressing a body              body
//	the buckets of the rate limit                 ratelimit
//	reading the projects file                     projects
//	request ids, CORS, OPTIONS, Expect, panics    middleware.go, cors.go
//	requests that are not valid HTTP              server.go; conn for framing and connections
//	metrics; settings; wiring, draining           metrics.go; config.go; gateway.go
//	produce requests, outages, replay             publish, spool, broker, kafka
//	the log of refusals                           refusals
//
// Not obvious: fasthttp reuses a request's memory after its handler returns, and a batch may outlive the request.
// Events leave the request in one place, Submission.encode in package ingest, which copies them.
package gateway
