package protocol

import (
	"sync"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/internal/event"
)

// Native is the name of our own protocol in metrics and outcomes.
const Native = "native"

// NativeSingle is POST /api/v1/events: one event, kept before the answer says so.
var NativeSingle = &ingest.Protocol{
	Name: Native, Key: ingest.FindKey, Form: ingest.BodyForm,
	Split: splitSingle, Answer: answerSingle, Refuse: ingest.WriteProblem,
}

// decoders are reused together with the event that they fill.
var decoders = sync.Pool{New: func() any { return new(decoding) }}

type decoding struct {
	decoder event.Decoder
	event   event.Event
}

// splitSingle validates the body as one event.
func splitSingle(s *ingest.Submission) *ingest.Problem {
	d := decoders.Get().(*decoding)
	defer decoders.Put(d)
	raw := s.Body()
	if err := d.decoder.Decode(raw, &d.event); err != nil {
		return ingest.FromDecoder(err)
	}
	s.Accept(raw, s.EventID(&d.event, raw, 0))
	return nil
}

// answerSingle writes the 202, or refuses the request with its event's problem.
func answerSingle(s *ingest.Submission) *ingest.Problem {
	it := &s.Items()[0]
	if p := it.Problem; p != nil {
		if p.Kind != ingest.KindRateLimited { // Kafka may have the event: the client must send the same id again
			p.EventID = it.ID
		}
		return p
	}
	s.CountAccepted(1)
	s.RateLimitFields(0)
	writeAccepted(s.Ctx, it.ID)
	return nil
}

// writeAccepted writes the 202 of a single event, the most frequent answer. It needs no JSON encoder: the only variable
// part is a parsed UUID.
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
