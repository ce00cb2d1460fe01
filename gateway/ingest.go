package gateway

import (
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/broker"
	"sluice/gateway/clientaddr"
	"sluice/gateway/publish"
	"sluice/internal/event"
)

// protocol is how clients of one kind send events and expect answers. Everything else is the same for all protocols.
type protocol struct {
	// key finds the project key in the request's head. It returns nil if the request has none.
	key func(ctx *fasthttp.RequestCtx) ([]byte, *problem)
	// form returns the form of the body that the Content-Type names, or refuses the Content-Type.
	form func(ctx *fasthttp.RequestCtx) (event.Form, *problem)
	// limit returns the size limit of the bodies.
	limit func(in *ingester) *bodyLimit
	// split validates the events of s.body. It gives each to accept, reject or repeat, in order. A problem refuses the
	// whole request.
	split func(s *submission) *problem
	// answer tells the client what became of the events. A problem refuses the whole request.
	answer func(s *submission) *problem
	// refuse tells the client that nothing of the request was kept, and why.
	refuse func(ctx *fasthttp.RequestCtx, p *problem)

	// submissions are reused. Each protocol has its own, so that a single event never holds the memory of a bulk.
	submissions sync.Pool
}

// ingester gives the events of requests to the publisher. Safe for concurrent use.
type ingester struct {
	projects  *inForce
	publisher *publish.Publisher
	metrics   *metrics
	now       func() time.Time

	bodies                *body.Pool
	eventLimit, bulkLimit bodyLimit
	overload              overload
	failedKeys            *failedKeys // nil: no limit
	proxies               clientaddr.Proxies
	debug                 bool // every request is logged

	requestTimeout time.Duration // for which a request waits for Kafka
	partitionBy    string
	maxEventBytes  int
}

// submission is one request with events on its way through the gateway. Every event ends in exactly one outcome.
type submission struct {
	*ingester
	ctx      *fasthttp.RequestCtx
	protocol *protocol
	project  *project     // nil until the key is known
	admitted bool         // a refusal is charged to the project's limit
	entered  bool         // counted as a request under way
	form     event.Form   // of the body
	body     *body.Buffer // nil before the body is read, and after the records are made
	stamp    stamp

	items    []item
	valid    []int32          // indexes of the items to keep, in order; each gets a record
	atomic   bool             // all events are kept, or none
	whole    *problem         // why an atomic submission was refused
	records  *publish.Request // nil before encode
	accepted int
}

// item is one event of a submission. After publish it is kept if it has no problem and is no duplicate.
type item struct {
	raw       []byte // aliases the body: good until encode has made the record
	id        uuid.UUID
	problem   *problem
	duplicate bool
}

// ingest answers one request with events. An accepted event is on Kafka, or on the spool's disk.
func (in *ingester) ingest(ctx *fasthttp.RequestCtx, proto *protocol) {
	s := in.begin(ctx, proto)
	if p := s.process(); p != nil {
		s.refuse(p)
	}
	s.end()
}

// process is the path of every request with events. The first step that finds a problem ends it.
func (s *submission) process() *problem {
	defer s.release()
	if p := s.readHead(); p != nil { // key, project, rate limit, overload, headers
		return p
	}
	if p := s.readBody(); p != nil { // size, encoding, pace
		return p
	}
	if p := s.protocol.split(s); p != nil { // validates each event
		return p
	}
	s.limit()   // gives a problem to events over the rate limit
	s.encode()  // makes the records and releases the body
	s.publish() // waits for Kafka or the spool
	return s.protocol.answer(s)
}

// ingestHead reports whether a request that waits for leave to send its body may send it. If not, the request is
// answered.
func (in *ingester) ingestHead(ctx *fasthttp.RequestCtx, proto *protocol) bool {
	s := in.begin(ctx, proto)
	p := s.processHead()
	if p != nil {
		s.refuse(p)
	}
	s.end()
	return p == nil
}

// processHead is the part of process that needs no body.
func (s *submission) processHead() *problem {
	defer s.release()
	if p := s.readHead(); p != nil {
		return p
	}
	return s.protocol.limit(s.ingester).checkHead(s.ctx)
}

func (in *ingester) begin(ctx *fasthttp.RequestCtx, proto *protocol) *submission {
	s, ok := proto.submissions.Get().(*submission)
	if !ok {
		s = &submission{}
	}
	s.ingester, s.ctx, s.protocol = in, ctx, proto
	return s
}

// release gives back the resources that other requests may wait for: the place among the requests under way, the
// body, the records.
func (s *submission) release() {
	if s.entered {
		s.overload.leave()
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

// end forgets the request and keeps the memory for the next. After a panic nobody calls it, and nothing is reused.
func (s *submission) end() {
	clear(s.items)
	s.stamp.clear()
	*s = submission{stamp: s.stamp, items: s.items[:0], valid: s.valid[:0], protocol: s.protocol}
	s.protocol.submissions.Put(s)
}

// readHead checks the request's head: who sends, whether there is room, and what all events have in common.
func (s *submission) readHead() *problem {
	p := s.admit()
	if s.debug && s.project != nil {
		outcomeOf(s.ctx).project = s.project.id
	}
	if p != nil {
		return p
	}
	s.admitted = true
	if p = s.overload.enter(s.ctx); p != nil {
		return p
	}
	s.entered = true
	if p = s.stampHead(); p != nil {
		return p
	}
	s.form, p = s.protocol.form(s.ctx)
	return p
}

// admit finds the project of the key, and refuses a project that may not send.
func (s *submission) admit() *problem {
	key, p := s.protocol.key(s.ctx)
	if p != nil {
		return p
	}
	if key == nil {
		return errUnauthorized
	}
	if s.project = s.projects.Load().find(key); s.project == nil {
		return s.unknownKey()
	}
	// From here on only pages of the project's own origins may read the answer.
	if !s.project.origins.answer(s.ctx) {
		return errOriginRefused
	}
	if s.project.disabled {
		return errDisabled
	}
	if s.project.limit != nil && s.project.limit.Quota(s.now()).Remaining == 0 {
		return s.rateLimited(1)
	}
	return nil
}

// unknownKey answers a key that no project has.
func (s *submission) unknownKey() *problem {
	if s.failedKeys == nil || s.failedKeys.allow(s.proxies.Client(s.ctx), s.now()) {
		return errUnauthorized
	}
	s.metrics.turnedAway(limitFailedKeys)
	return errFailedKeys
}

// readBody reads the body and decompresses it.
func (s *submission) readBody() *problem {
	s.body = body.GetBuffer()
	return s.protocol.limit(s.ingester).read(s.ctx, s.body)
}

// accept adds a valid event. raw aliases the body.
func (s *submission) accept(raw []byte, id uuid.UUID) {
	s.valid = append(s.valid, int32(len(s.items))) // at most MaxBulkEvents
	s.items = append(s.items, item{raw: raw, id: id})
}

// reject adds a refused event.
func (s *submission) reject(p *problem) {
	s.items = append(s.items, item{problem: p, id: p.eventID})
}

// repeat adds an event that has the id of an earlier one.
func (s *submission) repeat(id uuid.UUID) {
	s.items = append(s.items, item{id: id, duplicate: true})
}

// encode makes the records of the events to keep. After encode nothing refers to the body.
//
// Records made while the body is split would be 2 % faster in a bulk of 1,000 (BenchmarkHandler). But then a sent_at
// behind the events would need a second pass, and events over the limit would be encoded for nothing.
func (s *submission) encode() {
	s.stamp.seal()
	s.records = s.publisher.NewRequest()
	left := s.body.Len() // an upper bound of the events' bytes; a single record gets exactly the room it needs
	if len(s.valid) == 1 {
		left = 0
	}
	for _, i := range s.valid {
		it := &s.items[i]
		s.addRecord(it.raw, it.id, left)
		left -= len(it.raw)
	}
	s.releaseBody()
}

// publish publishes the records, notes the outcome of each, and refunds the events that were not kept.
func (s *submission) publish() {
	s.publisher.Publish(s.records, time.Now().Add(s.requestTimeout))
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

// refuse answers a request of which nothing was kept. An admitted request that is refused for what it holds costs one
// event, so that nonsense is not free.
func (s *submission) refuse(p *problem) {
	if s.admitted && !answers[p.kind].retryable {
		s.charge(1)
	}
	s.metrics.reject(p.kind, 1)
	if s.project != nil {
		outcomeOf(s.ctx).project = s.project.id
		s.rateLimitFields(p.kind)
	}
	body.Discard(s.ctx, s.bulkLimit.bytes)
	s.protocol.refuse(s.ctx, p)
}

var errOriginRefused = refuse(kindForbidden, "The project does not take events from pages of this origin.")

// errUnauthorized answers requests without a key, with an unknown key and with a revoked key alike: clients must not
// learn which keys exist.
var errUnauthorized = refuse(kindUnauthorized,
	"A valid project key is required: send it as Authorization: Bearer KEY, as X-API-Key: KEY, "+
		"or as ?api_key=KEY in the URL.")

var errDisabled = refuse(kindForbidden, "The project is disabled.")

// notKept answers events that nobody acknowledged.
func notKept(err error) *problem {
	switch {
	case errors.Is(err, publish.ErrOverloaded):
		return refuse(kindUnavailable, "The gateway is overloaded.")
	case errors.Is(err, publish.ErrAway):
		return refuse(kindUnavailable,
			"Kafka acknowledges nothing at the moment; the event was not kept: send it again with the same event_id.")
	case errors.Is(err, broker.ErrTooLarge):
		p := refuse(kindTooLarge, "The event is larger than the Kafka topic takes, by its max.message.bytes.")
		p.limit = limitTopicBatch
		return p
	case errors.Is(err, broker.ErrRefused):
		return refuse(kindInternal, "The event could not be stored.")
	default:
		return refuse(kindUnavailable,
			"The event was not acknowledged in time; it may have been kept: send it again with the same event_id.")
	}
}
