package gateway

import (
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/publish"
	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// stamp is what all records of one request share. It aliases the request and must not outlive it; the records it makes do not.
type stamp struct {
	project   *project
	envelope  event.Envelope
	publisher *publish.Publisher
	byKey     string
	key       []byte // of every record; the key of an event's own comes with the event
	partition int    // of key
	// idempotencyKey makes the ids of events without one; nil: they are new each time.
	idempotencyKey []byte

	header recordbatch.Headers // of the envelope
}

// clear forgets the request, but not the memory.
func (s *stamp) clear() {
	s.project, s.envelope, s.key, s.idempotencyKey = nil, event.Envelope{}, nil, nil
}

// stampHead fills the stamp from the request's headers. The time received is now, before the body is read: that is when the
// client says it sent, and a body may take minutes.
func (s *submission) stampHead() *problem {
	key, problem := idempotencyKey(s.ctx)
	if problem != nil {
		return problem
	}
	st := &s.stamp
	st.project, st.publisher, st.idempotencyKey = s.project, s.publisher, key
	st.envelope = event.Envelope{Project: s.project.id, ReceivedAt: s.now(), SentAt: sentAt(s.ctx), Traceparent: traceparent(s.ctx)}
	st.byKey, st.partition = s.cfg.PartitionBy, -1
	if st.byKey == byProject {
		st.key = []byte(s.project.id)
		st.partition = s.publisher.PartitionOf(st.key)
	}
	return nil
}

// sentInBody notes the time sent that a bulk's body gives, unless the request gave one outside it.
func (s *stamp) sentInBody(ts event.Timestamp) {
	if t, understood := ts.Time(); understood && s.envelope.SentAt.IsZero() {
		s.envelope.SentAt = t
	}
}

// seal writes the headers that all records have. Nothing about the request is unknown then.
func (s *stamp) seal() { s.header.Set(&s.envelope) }

// id is the event's own id, or one for it: under an Idempotency-Key the same each time, else a new UUIDv7. index is the
// event's place in the bulk, counting every item; 0 for a single event.
func (s *stamp) id(ev *event.Event, index int) uuid.UUID {
	switch {
	case ev.HasID:
		return ev.ID
	case s.idempotencyKey != nil:
		return derivedID(s.project.id, s.idempotencyKey, index)
	default:
		return event.NewID()
	}
}

// The values of the setting partition-by, besides none.
const (
	byProject = "project"
	byEventID = "event_id"
)

// record adds an event's Kafka record to the parcel, which copies its bytes. expect is how many bytes of events, this one
// included, the request may still have.
func (s *stamp) record(to *publish.Request, raw []byte, id uuid.UUID, expect int) {
	key, partition := s.key, s.partition
	if s.byKey == byEventID {
		var text [36]byte
		event.PutID(text[:], id)
		key, partition = text[:], s.publisher.PartitionOf(text[:])
	}
	to.Add(partition, key, raw, &s.header, id, expect+expect/2+s.header.Size()) // headers are about half of an event of 200 bytes
}

// traceparent is the W3C trace context of the request, if it is one. It is a copy.
func traceparent(ctx *fasthttp.RequestCtx) string {
	if v := string(ctx.Request.Header.Peek("Traceparent")); event.ValidTraceparent(v) {
		return v
	}
	return ""
}
