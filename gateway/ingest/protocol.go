package ingest

import (
	"sync"

	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

// Protocol is how clients of one kind send events and expect answers. Everything else is the same for all protocols.
type Protocol struct {
	// Name is the protocol's name in metrics and outcomes: a word in lower case.
	Name string
	// Format is the format of the events on the topic, see event.Envelope. "" is our own.
	Format string
	// Bulk gives bodies the size limit of a bulk. Otherwise it is that of a single event.
	Bulk bool
	// DerivesIDs makes the ids of events without one from their bytes, so that a request sent again has the same ids.
	DerivesIDs bool
	// Patient is for clients that drop what is answered 503. Their requests wait for Kafka for up to twice the request
	// timeout, even while Kafka is known to be away.
	Patient bool
	// Ignores are the names of the things that clients send and the protocol does not keep, see Submission.Ignore.
	Ignores []string
	// ResendsItems says that clients send again only the events that were not kept. Ids made from an event's bytes then
	// depend on how many equal events come before it in the request, and not on its place.
	ResendsItems bool
	// Key finds the project key in the request's head, as FindKey does.
	Key func(ctx *fasthttp.RequestCtx) (Key, *Problem)
	// BodyKey finds the project key in the first bytes of the body, at most body.PrefixBytes of it, decompressed. It
	// returns nil if there is none. The gateway asks for it if Key finds none, before anything else of the body is
	// read; a body that has another key than the head is refused. nil: the body never has a key. If it is set, a body
	// in gzip is decompressed even if no header says so.
	BodyKey func(prefix []byte) []byte
	// ResendsWhole says that the clients send a refused request again as a whole. The rate limit then takes all of a
	// request's valid events, or none: events that were kept would cost a second time.
	ResendsWhole bool
	// ReportsPart says that an answer can tell the client that part of a request was refused for good. With ResendsWhole,
	// a request of more events than the whole limit is then taken in part, and not refused.
	ReportsPart bool
	// Form returns the form of the body that the Content-Type names, or refuses the Content-Type. nil takes every
	// Content-Type.
	Form func(ctx *fasthttp.RequestCtx) (event.Form, *Problem)
	// Split validates the events of the body. It gives each to Accept, Reject or Repeat, in order. A problem refuses
	// the whole request.
	Split func(s *Submission) *Problem
	// Answer tells the client what became of the events. A problem refuses the whole request.
	Answer func(s *Submission) *Problem
	// Refuse tells the client that nothing of the request was kept, and why.
	Refuse func(ctx *fasthttp.RequestCtx, p *Problem)

	// submissions are reused. Each protocol has its own, so that a single event never holds the memory of a bulk.
	submissions sync.Pool
}
