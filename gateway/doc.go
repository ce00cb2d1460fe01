// Package gateway is the edge: it takes events from clients over HTTP and puts them on Kafka.
//
// A 2xx is a promise. 202 means that every event counted as accepted was acknowledged by Kafka with acks=all or, with a spool and
// Kafka away, is fsynced on this machine's disk; there is no queue in memory whose loss would break it. Every other answer says what to do: send it again, or fix it.
//
//	202            kept; a bulk: at least one event kept, the answer names the others
//	400            malformed JSON, an invalid event, nothing sent, a bulk without one valid event, two different keys
//	401 403        no such key (one body for all reasons); the project is disabled or does not list the page's origin
//	404 405        unknown path; wrong method
//	408            the body stalled                                        retryable
//	413 414 431    over a limit, which the answer names
//	415            content type or encoding not supported
//	429            the project's rate limit, with Retry-After; an unknown
//	               key from an address that sent very many                 retryable
//	500            our fault                                               retryable
//	503            Kafka did not acknowledge in time, overload, draining   retryable
//
// After a 503 an event may have been kept all the same: a client sends it again with the same event_id and the same bytes,
// and it becomes one row. Events without an id are the same ones again under the same Idempotency-Key.
//
// openapi.json says all of this to clients; the tests hold every answer they get against it.
//
// To change what an answer looks like read answer.go and openapi.json; the order in which a request is checked, ingest.go and
// bulk.go; what the headers say about the events, stamp.go, identity.go and sentat.go; how bodies are read, body.go, and
// decompressed, body_encoding.go; what browsers may do, cors.go; the projects file, package projects; how requests share produce calls,
// publisher.go and lane.go; what keeps the gateway itself from harm, load.go, publisher_wait.go, listener.go, parking.go, failedkeys.go
// and framing.go; what is answered before the body, expect.go, and at paths that are not ours, elsewhere.go; what is logged of
// refusals, refusals.go; when a batch goes to the spool instead, spool_detour.go, how it lies there, spool.go, and how it gets to Kafka
// from there, spool_replay.go.
//
// Not obvious: fasthttp reuses a request's memory after its handler returns, and kafka-go may hold a record for longer than
// the handler lasts. The one place where bytes leave the request is stamp.record, and it copies.
package gateway
