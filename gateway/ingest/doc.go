// Package ingest is the way of a request with events, whatever its protocol: key, limits, body, events, Kafka, answer.
//
// A Protocol says how clients of one kind send events and expect answers. An Ingester does everything else. A
// Submission is one request on its way, and the only thing that a protocol sees of it.
//
// Of each event of a submission exactly one thing becomes: it is kept, refused, or the repetition of an earlier one. An
// event that is answered as kept was acknowledged by Kafka, or is on the spool's disk.
//
// To change something, read:
//
//	the order in which a request is checked       ingest.go: process, readHead, admit
//	what a protocol may do                        protocol.go, submission.go
//	what a refusal looks like; status codes       problem.go
//	the rate limit of a request; the 429          quota.go
//	where a key may stand                         key.go
//	a key in the body                             bodykey.go
//	which projects are in force; their origins    project.go, origins.go
//	received-at, sent_at, traceparent             stamp.go
//	ids of events without one                     identity.go
//	what is acknowledged and not kept             ignored.go
//	body sizes, content types                     bodies.go
//	overload, unknown keys                        overload.go, failedkeys.go
//	what counts in sluice.outcomes                outcome.go
//	which requests are valid, and how long        outcome.go, duration.go
//	GET /api/v1/limits                            limits.go
package ingest
