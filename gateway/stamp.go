package gateway

import (
	"bytes"
	"sync"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

// stamp is what all records of one request share. It aliases the request and must not outlive it; the records it makes do not.
type stamp struct {
	project  *project
	envelope event.Envelope
	byKey    string
	// idempotencyKey makes the ids of events without one; nil: they are new each time.
	idempotencyKey []byte
}

var stamps = sync.Pool{New: func() any { return new(stamp) }}

// stamp fills s from the request's headers. The time received is now, before the body is read: that is when the client says
// it sent, and a body may take minutes.
func (g *Gateway) stamp(ctx *fasthttp.RequestCtx, p *project, s *stamp) *problem {
	key, problem := idempotencyKey(ctx)
	if problem != nil {
		return problem
	}
	*s = stamp{
		project: p,
		envelope: event.Envelope{
			Project:     p.id,
			ReceivedAt:  g.now(),
			SentAt:      sentAt(ctx),
			Traceparent: traceparent(ctx),
		},
		byKey:          g.cfg.PartitionBy,
		idempotencyKey: key,
	}
	return nil
}

// sentInBody notes the time sent that a bulk's body gives, unless the request gave one outside it.
func (s *stamp) sentInBody(ts event.Timestamp) {
	if t, understood := ts.Time(); understood && s.envelope.SentAt.IsZero() {
		s.envelope.SentAt = t
	}
}

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

// record makes an event's Kafka record. The event's bytes are copied here: they lie in a buffer that the next request
// reuses, while Kafka's client may hold the record for longer than this request lasts.
func (s *stamp) record(raw []byte, id uuid.UUID) Record {
	e := s.envelope
	e.ID = id
	r := Record{Value: bytes.Clone(raw), Headers: e.Headers()}
	switch s.byKey {
	case "project":
		r.Key = []byte(e.Project)
	case "event_id":
		r.Key = []byte(id.String())
	}
	return r
}

// traceparent is the W3C trace context of the request, if it is one. It is a copy.
func traceparent(ctx *fasthttp.RequestCtx) string {
	if v := string(ctx.Request.Header.Peek("Traceparent")); event.ValidTraceparent(v) {
		return v
	}
	return ""
}
