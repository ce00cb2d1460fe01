package gateway

import (
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/broker"
	"sluice/gateway/publish"
	"sluice/internal/event"
)

// eventProtocol is how clients of one kind send events and want to be answered. All else is the same for every protocol.
type eventProtocol struct {
	// key finds the project key in the request's head. nil: the request has none.
	key func(ctx *fasthttp.RequestCtx) ([]byte, *problem)
	// limit is the size limit of the bodies.
	limit func(g *Gateway) *bodyLimit
	// split validates the events of s.body and gives each to accept or reject, in order. An error refuses the request.
	split func(s *submission) *problem
	// answer tells the client what became of the events. An error refuses the request.
	answer func(s *submission) *problem
	// refuse tells the client that nothing of the request was kept, and why.
	refuse func(ctx *fasthttp.RequestCtx, p *problem)

	// submissions are reused, each by its own protocol, so that a single event never holds what a bulk needed.
	submissions sync.Pool
}

// submission is one request with events on its way through the gateway. Every event ends in exactly one outcome.
type submission struct {
	*Gateway
	ctx      *fasthttp.RequestCtx
	protocol *eventProtocol
	project  *project     // nil until the key is known
	admitted bool         // a refusal is charged to the project's limit
	entered  bool         // counted as a request under way
	form     event.Form   // of the body
	body     *body.Buffer // nil before it is read and after the records are made
	stamp    stamp

	items    []item
	valid    []int32          // indexes of the items that are to be kept, in order; each has a record
	atomic   bool             // all or nothing
	whole    *problem         // why an atomic submission was refused as a whole
	records  *publish.Request // nil until the events are limited
	accepted int
}

// item is one event of a submission. It is kept if it has neither problem nor duplicate when all is done.
type item struct {
	raw       []byte // aliases the body; nil once the body is released
	id        uuid.UUID
	problem   *problem
	duplicate bool
}

// ingest answers one request with events. What it says was accepted is on Kafka, or on the spool's disk.
func (g *Gateway) ingest(ctx *fasthttp.RequestCtx, proto *eventProtocol) {
	s := g.begin(ctx, proto)
	if p := s.process(); p != nil {
		s.refuse(p)
	}
	s.end()
}

// process is the way of every request with events. The first step that finds a fault ends it.
func (s *submission) process() *problem {
	defer s.release()
	if p := s.readHead(); p != nil { // key, project, overload, headers
		return p
	}
	if p := s.readBody(); p != nil { // size, encoding, pace
		return p
	}
	if p := s.protocol.split(s); p != nil { // each event is valid, a duplicate, or refused
		return p
	}
	s.limit()   // what exceeds the rate limit is refused
	s.encode()  // one record an event; the body is released
	s.publish() // waits for Kafka, or for the spool
	return s.protocol.answer(s)
}

// ingestHead answers a request that asks for leave to send its body, if the head alone is reason to refuse it, and reports
// whether it is not.
func (g *Gateway) ingestHead(ctx *fasthttp.RequestCtx, proto *eventProtocol) (welcome bool) {
	s := g.begin(ctx, proto)
	p := s.processHead()
	if p != nil {
		s.refuse(p)
	}
	s.end()
	return p == nil
}

func (s *submission) processHead() *problem {
	defer s.release()
	if p := s.readHead(); p != nil {
		return p
	}
	return s.protocol.limit(s.Gateway).checkHead(s.ctx)
}

func (g *Gateway) begin(ctx *fasthttp.RequestCtx, proto *eventProtocol) *submission {
	s, ok := proto.submissions.Get().(*submission)
	if !ok {
		s = &submission{}
	}
	s.Gateway, s.ctx, s.protocol = g, ctx, proto
	return s
}

// release gives back what others may wait for: the place among the requests under way, the body, the records.
func (s *submission) release() {
	if s.entered {
		s.load.leave()
		s.entered = false
	}
	s.releaseBody()
	if s.records != nil {
		s.records.Release()
		s.records = nil
	}
}

func (s *submission) releaseBody() {
	if s.body != nil {
		s.body.Release()
		s.body = nil
	}
}

// end forgets the request, but not the memory. It is not reached after a panic: nothing is reused then.
func (s *submission) end() {
	clear(s.items)
	s.stamp.clear()
	*s = submission{stamp: s.stamp, items: s.items[:0], valid: s.valid[:0], protocol: s.protocol}
	s.protocol.submissions.Put(s)
}

// readHead reads what the request's head says: who sends, whether there is room, and what all events have in common.
func (s *submission) readHead() *problem {
	p := s.admit()
	if s.debug && s.project != nil {
		outcomeOf(s.ctx).project = s.project.id
	}
	if p != nil {
		return p
	}
	s.admitted = true
	if p = s.load.enter(s.ctx); p != nil {
		return p
	}
	s.entered = true
	if p = s.stampHead(); p != nil {
		return p
	}
	s.form, p = bodyForm(s.ctx)
	return p
}

// admit finds the project by the request's key, and refuses the request if the project may not send.
func (s *submission) admit() *problem {
	key, p := s.protocol.key(s.ctx)
	if p != nil {
		return p
	}
	if key == nil {
		return errUnauthorized
	}
	if s.project = s.projects.Load().find(key); s.project == nil {
		return s.unknownKey(s.ctx)
	}
	// The project's own origins take over from those of all projects; from here on its answers are for them to read.
	if !s.project.origins.answer(s.ctx) {
		return errOriginRefused
	}
	if s.project.disabled {
		return errDisabled
	}
	if s.project.limit != nil && s.project.limit.Quota(s.now()).Left == 0 {
		return s.rateLimited(1)
	}
	return nil
}

// readBody reads the body and decompresses it.
func (s *submission) readBody() *problem {
	s.body = body.GetBuffer()
	return s.protocol.limit(s.Gateway).read(s.ctx, s.body)
}

// accept adds a valid event. raw aliases the body.
func (s *submission) accept(raw []byte, id uuid.UUID) {
	s.valid = append(s.valid, int32(len(s.items))) //nolint:gosec // at most MaxBulkEvents
	s.items = append(s.items, item{raw: raw, id: id})
}

// reject adds an event that is refused.
func (s *submission) reject(p *problem) {
	s.items = append(s.items, item{problem: p, id: p.eventID})
}

// repeat adds an event whose id an earlier one has.
func (s *submission) repeat(id uuid.UUID) {
	s.items = append(s.items, item{id: id, duplicate: true})
}

// encode makes the records of the events that are to be kept. Nothing refers to the body afterwards.
func (s *submission) encode() {
	s.stamp.seal()
	s.records = s.publisher.NewRequest()
	left := s.body.Len() // bytes of events that may still come; a single record gets just the room it needs
	if len(s.valid) == 1 {
		left = 0
	}
	for _, i := range s.valid {
		it := &s.items[i]
		s.stamp.record(s.records, it.raw, it.id, left)
		left -= len(it.raw)
	}
	s.releaseBody()
}

// publish gives the records to Kafka and notes what became of each.
func (s *submission) publish() {
	s.publisher.Publish(s.records, time.Now().Add(s.cfg.RequestTimeout))
	at := s.valid
	lost := 0
	s.records.Outcomes(func(n int, err error) {
		if err == nil {
			s.accepted += n
		} else {
			p := notKept(err)
			for _, i := range at[:n] {
				s.items[i].problem = p
			}
			lost += n
		}
		at = at[n:]
	})
	s.refund(lost)
}

// refuse answers a request of which nothing was kept. One that was admitted and refused for what it holds is charged one event,
// so that nonsense is not free.
func (s *submission) refuse(p *problem) {
	if s.admitted && !answers[p.kind].retryable {
		s.charge(1)
	}
	s.metrics.reject(p.kind, 1)
	if s.project != nil {
		outcomeOf(s.ctx).project = s.project.id
		s.rateLimitFields(p.kind)
	}
	body.Discard(s.ctx, s.cfg.MaxBulkBytes)
	s.protocol.refuse(s.ctx, p)
}

// errOriginRefused: the page that sends is of an origin the project does not list.
var errOriginRefused = refuse(kindForbidden, "The project does not take events from pages of this origin.")

// errUnauthorized is the one body for no key, an unknown key and a revoked one. It says how to send one to clients of all
// three, because which of them a client is must not be told.
var errUnauthorized = refuse(kindUnauthorized,
	"A valid project key is required: send it as Authorization: Bearer KEY, as X-API-Key: KEY, or as ?api_key=KEY in the URL.")

var errDisabled = refuse(kindForbidden, "The project is disabled.")

// notKept is the answer when Kafka did not say that it kept the event.
func notKept(err error) *problem {
	switch {
	case errors.Is(err, publish.ErrOverloaded):
		return refuse(kindUnavailable, "The gateway is overloaded.")
	case errors.Is(err, publish.ErrAway):
		return refuse(kindUnavailable, "Kafka acknowledges nothing at the moment; the event was not kept: send it again with the same event_id.")
	case errors.Is(err, broker.ErrTooLarge):
		p := refuse(kindTooLarge, "The event is larger than the Kafka topic takes, by its max.message.bytes.")
		p.limit = limitTopicBatch
		return p
	case errors.Is(err, broker.ErrRefused):
		return refuse(kindInternal, "The event could not be stored.")
	default:
		return refuse(kindUnavailable, "The event was not acknowledged in time; it may have been kept: send it again with the same event_id.")
	}
}
