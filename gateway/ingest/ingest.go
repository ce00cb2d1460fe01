package ingest

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/broker"
	"sluice/gateway/clientaddr"
	"sluice/gateway/outcomes"
	"sluice/gateway/publish"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// Ingester gives the events of requests to the publisher. Safe for concurrent use.
type Ingester struct {
	projects  *Projects
	publisher *publish.Publisher
	metrics   *Metrics
	outcomes  *outcomes.Counter
	now       func() time.Time

	bodies                *body.Pool
	eventLimit, bulkLimit bodyLimit
	overload              overload
	failedKeys            *failedKeys // nil: no limit
	proxies               clientaddr.Proxies
	traces                traces
	debug                 bool // every request is logged

	requestTimeout time.Duration // for which a request waits for Kafka
	partitionBy    string
	maxEventBytes  int
}

// passed is what a submission has come past.
type passed struct {
	admitted bool      // a refusal is charged to the project's limit
	entered  bool      // counted as a request under way
	read     time.Time // when the body was read; zero: the request was refused before
}

// Submission is one request with events on its way through the gateway. Every event ends in exactly one outcome.
type Submission struct {
	in *Ingester
	// Ctx is the request.
	Ctx      *fasthttp.RequestCtx
	protocol *Protocol
	project  *project // nil until the key is known
	key      []byte   // the project's, as the client sent it
	passed
	// Form is what Protocol.Form returned.
	Form  event.Form
	body  *body.Buffer // nil before the body is read, and after the records are made; see keyInBody
	stamp stamp
	// unread is why a message could not be read. nil: it was, or the submission is a request.
	unread *Problem

	// OwnID is the id that the client gave the request as a whole, if the protocol has one. Split may set it.
	OwnID uuid.UUID

	events
	// Atomic keeps all events, or none. Split may set it.
	Atomic   bool
	whole    *Problem         // why an atomic submission was refused
	records  *publish.Request // nil before encode
	accepted int
	refused  refusals

	spans spans
	// State is what the protocol's Split leaves for its Answer.
	State any
}

// events are those of a submission.
type events struct {
	items  []Item
	framed framed
	rest   rest
	valid  []int32           // indexes of the items to keep, in order; each gets a record
	equal  map[uuid.UUID]int // how often each event came, for a protocol with ResendsItems
}

// Ingest answers one request with events. An accepted event is on Kafka, or on the spool's disk.
func (in *Ingester) Ingest(ctx *fasthttp.RequestCtx, proto *Protocol) {
	s := in.begin(ctx, proto)
	if in.traces.tracer != nil {
		s.spans.request = in.traces.begin(ctx, traceparent(ctx), proto.Name, false)
	}
	if p := s.process(); p != nil {
		s.refuse(p)
	}
	s.end()
}

// process is the path of every request with events. The first step that finds a problem ends it.
func (s *Submission) process() *Problem {
	defer s.release()
	if p := s.readHead(); p != nil { // key, project, rate limit, overload, headers
		return p
	}
	if p := s.readBody(); p != nil { // size, encoding, pace
		return p
	}
	s.read = time.Now()
	if p := s.protocol.Split(s); p != nil { // validates each event
		return p
	}
	s.limit()   // gives a problem to events over the rate limit
	s.encode()  // makes the records and releases the body
	s.publish() // waits for Kafka or the spool
	return s.protocol.Answer(s)
}

// IngestHead reports whether a request that waits for leave to send its body may send it. If not, the request is
// answered.
func (in *Ingester) IngestHead(ctx *fasthttp.RequestCtx, proto *Protocol) bool {
	s := in.begin(ctx, proto)
	p := s.processHead()
	if p != nil {
		s.refuse(p)
	}
	s.end()
	return p == nil
}

// processHead is the part of process that needs no body.
func (s *Submission) processHead() *Problem {
	defer s.release()
	if s.namedByBody() {
		return s.bodyLimit().checkHead(s.Ctx)
	}
	if p := s.readHead(); p != nil {
		return p
	}
	return s.bodyLimit().checkHead(s.Ctx)
}

func (in *Ingester) begin(ctx *fasthttp.RequestCtx, proto *Protocol) *Submission {
	s, ok := proto.submissions.Get().(*Submission)
	if !ok {
		s = &Submission{stamp: stamp{header: new(recordbatch.Headers)}}
	}
	s.in, s.Ctx, s.protocol = in, ctx, proto
	return s
}

// release gives back the resources that other requests may wait for: the place among the requests under way, the
// body, the records.
func (s *Submission) release() {
	if s.entered {
		s.in.overload.leave()
		s.entered = false
	}
	s.releaseBody()
	if s.records != nil {
		s.records.Release()
		s.records = nil
	}
}

func (s *Submission) releaseBody() {
	if s.body != nil {
		s.body.Release()
		s.body = nil
	}
	s.framed.release()
}

// end forgets the request and keeps the memory for the next. After a panic nobody calls it, and nothing is reused.
func (s *Submission) end() {
	s.countRefusals()
	if s.spans.request != nil {
		s.spans.end(s.Ctx.Response.StatusCode(), s.projectID(), s.accepted, s.refused.total())
	}
	s.measure()
	clear(s.items)
	*s = Submission{
		stamp: stamp{header: s.stamp.header}, protocol: s.protocol,
		events: events{items: s.items[:0], framed: s.framed.emptied(), valid: s.valid[:0]},
	}
	s.protocol.submissions.Put(s)
}

// readHead checks the request's head: who sends, whether there is room, and what all events have in common.
func (s *Submission) readHead() *Problem {
	p := s.admit()
	if s.in.debug && s.project != nil {
		OutcomeOf(s.Ctx).Project = s.project.id
	}
	if p != nil {
		return p
	}
	s.admitted = true
	if p = s.in.overload.enter(s.Ctx); p != nil {
		return p
	}
	s.entered = true
	if p = s.stampHead(); p != nil {
		return p
	}
	if s.protocol.Form != nil {
		s.Form, p = s.protocol.Form(s.Ctx)
	}
	return p
}

// admit finds the project of the key, and refuses a project that may not send.
func (s *Submission) admit() *Problem {
	if p := s.authorize(); p != nil {
		return p
	}
	if s.project.Limit != nil && !s.protocol.AnswersEach && s.project.Limit.Quota(s.in.now()).Remaining == 0 {
		return s.rateLimited(1)
	}
	return nil
}

// authorize finds the project of the key, and refuses a disabled project and pages of other origins.
func (s *Submission) authorize() *Problem {
	key, p := s.protocol.Key(s.Ctx)
	if p == nil && !key.Given() && s.protocol.BodyKey != nil {
		key, p = s.keyInBody()
	}
	if p != nil {
		return p
	}
	if !key.Given() {
		return errUnauthorized
	}
	all := s.in.projects.Load()
	s.key = key.bytes
	if s.project = all.Find(key.bytes); s.project == nil && len(key.or) > 0 {
		s.key = key.or
		s.project = all.Find(key.or)
	}
	if s.project == nil {
		return s.unknownKey()
	}
	// From here on only pages of the project's own origins may read the answer.
	if !s.project.origins.answer(s.Ctx) {
		return errOriginRefused
	}
	if s.project.disabled {
		return errDisabled
	}
	return nil
}

// unknownKey answers a key that no project has.
func (s *Submission) unknownKey() *Problem {
	if s.in.failedKeys == nil || s.in.failedKeys.allow(s.in.proxies.Client(s.Ctx), s.in.now()) {
		return errUnauthorized
	}
	s.in.metrics.turnedAway(LimitFailedKeys)
	return errFailedKeys
}

// bodyLimit is that of the protocol's bodies.
func (s *Submission) bodyLimit() *bodyLimit {
	if s.protocol.Bulk {
		return &s.in.bulkLimit
	}
	return &s.in.eventLimit
}

// longestPatience bounds the wait of a patient protocol. It ends before a drain does (--drain-timeout), and before the
// 30 s after which common clients give up.
const longestPatience = 20 * time.Second

// LongestWait returns for how long a request may wait for Kafka.
func (in *Ingester) LongestWait() time.Duration {
	return max(in.requestTimeout, min(2*in.requestTimeout, longestPatience))
}

// readBody reads the body and decompresses it.
func (s *Submission) readBody() *Problem {
	if s.protocol.BodyKey != nil {
		return s.readBodyWithKey()
	}
	if s.unread != nil {
		return s.unread
	}
	if s.body != nil { // a message, which was read with the limit of a bulk
		if limit := s.bodyLimit(); s.body.Len() > limit.bytes {
			return limit.exceeded("The message is larger than")
		}
		return nil
	}
	s.body = body.GetBuffer()
	return s.bodyLimit().read(s.Ctx, s.body)
}

// encode makes the records of the events to keep. After encode nothing refers to the body.
//
// Records made while the body is split would be 2 % faster in a bulk of 1,000 (BenchmarkHandler). But then a sent_at
// behind the events would need a second pass, and events over the limit would be encoded for nothing.
func (s *Submission) encode() {
	if t := &s.in.traces; t.tracer != nil && len(s.valid) > 0 {
		s.stamp.envelope.Traceparent = t.beginSend(&s.spans, len(s.valid), s.stamp.envelope.Traceparent)
	}
	s.stamp.seal()
	s.records = s.in.publisher.NewRequest()
	// An upper bound of the events' bytes. A single record gets exactly the room it needs.
	left := max(s.body.Len(), s.framed.bytes)
	if len(s.valid) == 1 {
		left = 0
	}
	for _, i := range s.valid {
		it := &s.items[i]
		raw := s.bytesOf(it)
		s.addRecord(raw, it.ID, left)
		left -= len(raw)
	}
	s.releaseBody()
}

// publish publishes the records, notes the outcome of each, and refunds the events that were not kept.
func (s *Submission) publish() {
	if s.protocol.Patient {
		s.in.publisher.PublishPatiently(s.records, s.read.Add(s.in.LongestWait()))
	} else {
		s.in.publisher.Publish(s.records, s.read.Add(s.in.requestTimeout))
	}
	at := s.valid
	lost := 0
	s.records.Outcomes(func(n int, err error) {
		if err == nil {
			s.accepted += n
		} else {
			p := notKept(err)
			for _, i := range at[:n] {
				s.items[i].Problem = p
			}
			lost += n
		}
		at = at[n:]
	})
	if s.spans.send != nil {
		s.spans.endSend(s.records.Delivery(), lost)
	}
	s.refund(lost)
}

// refuse answers a request of which nothing was kept. An admitted request that is refused for what it holds costs one
// event, so that nonsense is not free.
func (s *Submission) refuse(p *Problem) {
	if s.admitted && !answers[p.Kind].Retryable {
		s.charge(1)
	}
	s.CountRefused(p)
	if s.project != nil {
		OutcomeOf(s.Ctx).Project = s.project.id
		s.RateLimitFields(p.Kind)
	}
	body.Discard(s.Ctx, s.in.bulkLimit.bytes)
	s.protocol.Refuse(s.Ctx, p)
}

var errOriginRefused = Refuse(KindForbidden, "The project does not take events from pages of this origin.")

// errUnauthorized answers requests without a key, with an unknown key and with a revoked key alike: clients must not
// learn which keys exist.
var errUnauthorized = Refuse(KindUnauthorized,
	"A valid project key is required: send it as Authorization: Bearer KEY, as X-API-Key: KEY, "+
		"or as ?api_key=KEY in the URL.")

var errDisabled = Refuse(KindForbidden, "The project is disabled.")

// notKept answers events that nobody acknowledged.
func notKept(err error) *Problem {
	switch {
	case errors.Is(err, publish.ErrOverloaded):
		return Refuse(KindUnavailable, "The gateway is overloaded.")
	case errors.Is(err, publish.ErrAway):
		return Refuse(KindUnavailable,
			"Kafka acknowledges nothing at the moment; the event was not kept: send it again with the same event_id.")
	case errors.Is(err, broker.ErrTooLarge):
		p := Refuse(KindTooLarge, "The event is larger than the Kafka topic takes, by its max.message.bytes.")
		p.Limit = LimitTopicBatch
		return p
	case errors.Is(err, broker.ErrRefused):
		return Refuse(KindInternal, "The event could not be stored.")
	default:
		return Refuse(KindUnavailable,
			"The event was not acknowledged in time; it may have been kept: send it again with the same event_id.")
	}
}
