package gateway

import (
	"sync"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

// nativeSingle is POST /api/v1/events: one event, kept before the answer says so.
var nativeSingle = &eventProtocol{
	key:    findKey,
	limit:  func(g *Gateway) *bodyLimit { return &g.eventLimit },
	split:  splitSingle,
	answer: answerSingle,
	refuse: writeProblem,
}

// decoders are reused with the event they fill: both keep their memory.
var decoders = sync.Pool{New: func() any { return new(decoding) }}

type decoding struct {
	decoder event.Decoder
	event   event.Event
}

// splitSingle validates the body as one event.
func splitSingle(s *submission) *problem {
	d := decoders.Get().(*decoding) //nolint:forcetypeassert // the pool holds nothing else
	defer decoders.Put(d)
	raw := s.body.Bytes()
	if err := d.decoder.Decode(raw, &d.event); err != nil {
		return fromDecoder(err)
	}
	s.accept(raw, s.stamp.id(&d.event, 0))
	return nil
}

// answerSingle writes the 202, or refuses the request for what became of its event.
func answerSingle(s *submission) *problem {
	it := &s.items[0]
	if p := it.problem; p != nil {
		if p.kind != kindRateLimited { // it was on its way to Kafka: the client sends it again under this id
			p.eventID = it.id
		}
		return p
	}
	s.metrics.accepted.Inc()
	s.rateLimitFields(0)
	writeAccepted(s.ctx, it.id)
	return nil
}

// writeAccepted writes the 202 of a single event. It is put together by hand because nothing in it comes from a client but a parsed UUID, and
// it is the answer that is written most.
func writeAccepted(ctx *fasthttp.RequestCtx, id uuid.UUID) {
	const before, after = `{"status":"accepted","event_id":"`, `"}`
	var text [len(before) + 36 + len(after)]byte
	copy(text[:], before)
	event.PutID(text[len(before):], id)
	copy(text[len(before)+36:], after)
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetContentType("application/json")
	ctx.SetBody(text[:])
}
