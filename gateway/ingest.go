package gateway

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

// decoders are reused with the event they fill: both keep their memory.
var decoders = sync.Pool{New: func() any { return new(decoding) }}

type decoding struct {
	decoder event.Decoder
	event   event.Event
}

// errOriginRefused: the page that sends is of an origin the project does not list.
var errOriginRefused = refuse(kindForbidden, "The project does not take events from pages of this origin.")

// errUnauthorized is the one body for no key, an unknown key and a revoked one. It says how to send one to clients of all
// three, because which of them a client is must not be told.
var errUnauthorized = refuse(kindUnauthorized,
	"A valid project key is required: send it as Authorization: Bearer KEY, as X-API-Key: KEY, or as ?api_key=KEY in the URL.")

// admit does what comes before a body is read: the key, the project, what is left of its limit, the sizes as announced.
func (g *Gateway) admit(ctx *fasthttp.RequestCtx) (*project, *problem) {
	key, p := findKey(ctx)
	if p != nil {
		return nil, p
	}
	if key == nil {
		return nil, errUnauthorized
	}
	project := g.projects.Load().find(key)
	if project == nil {
		return nil, g.unknownKey(ctx)
	}
	// The project's own origins take over from those of all projects; from here on its answers are for them to read.
	if !project.origins.answer(ctx) {
		return project, errOriginRefused
	}
	if project.disabled {
		return project, refuse(kindForbidden, "The project is disabled.")
	}
	if project.limit != nil && project.limit.quota(g.now()).left == 0 {
		return project, g.rateLimited(project, 1)
	}
	return project, nil
}

func (g *Gateway) rateLimited(p *project, events int) *problem {
	problem := refuse(kindRateLimited, "The project's rate limit is reached.")
	problem.retryAfter = p.limit.retryAfter(events, g.now())
	return problem
}

// single handles POST /api/v1/events: one event, kept by Kafka before the answer says so.
func (g *Gateway) single(c *fiber.Ctx) error {
	g.handle(c.Context(), g.ingestSingle)
	return nil
}

// bulk handles POST /api/v1/events/bulk.
func (g *Gateway) bulk(c *fiber.Ctx) error {
	g.handle(c.Context(), g.ingestBulk)
	return nil
}

// handle admits a request and answers it if ingest refuses it as a whole. A request that got past the limit and was refused
// for what it holds is charged one event, so that nonsense is not free.
func (g *Gateway) handle(ctx *fasthttp.RequestCtx, ingest func(*fasthttp.RequestCtx, *stamp) *problem) {
	project, p := g.admit(ctx)
	if g.debug && project != nil {
		outcomeOf(ctx).project = project.id
	}
	if p == nil {
		if p = g.stamped(ctx, project, ingest); p == nil {
			return
		}
		if !answers[p.kind].retryable {
			g.charge(project, 1)
		}
	}
	g.metrics.reject(p.kind, 1)
	if project != nil {
		outcomeOf(ctx).project = project.id
		g.rateLimitFields(ctx, project, p.kind)
	}
	discardBody(ctx, g.cfg.MaxBulkBytes)
	p.write(ctx)
}

// stamped reads what the headers say about the events before it lets ingest read the events, if there is room for them.
func (g *Gateway) stamped(ctx *fasthttp.RequestCtx, project *project, ingest func(*fasthttp.RequestCtx, *stamp) *problem) *problem {
	if p := g.load.enter(ctx); p != nil {
		return p
	}
	defer g.load.leave()
	s := stamps.Get().(*stamp) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		s.clear()
		stamps.Put(s)
	}()
	if p := g.stamp(ctx, project, s); p != nil {
		return p
	}
	return ingest(ctx, s)
}

func (g *Gateway) ingestSingle(ctx *fasthttp.RequestCtx, stamp *stamp) *problem {
	if _, p := bodyForm(ctx); p != nil {
		return p
	}
	body := buffers.Get().(*bodyBuffer) //nolint:forcetypeassert // the pool holds nothing else
	defer releaseBuffer(body)
	if p := readBody(ctx, body, &g.eventLimit); p != nil {
		return p
	}
	d := decoders.Get().(*decoding) //nolint:forcetypeassert // the pool holds nothing else
	defer decoders.Put(d)
	if p := decode(d, body.Bytes()); p != nil {
		return p
	}
	project := stamp.project
	if g.charge(project, 1) == 0 {
		return g.rateLimited(project, 1)
	}
	id := stamp.id(&d.event, 0)
	records := g.publisher.NewRequest()
	defer records.release()
	stamp.record(records, body.Bytes(), id, 0)
	g.publisher.Publish(records, g.deadline())
	if err := records.err(); err != nil {
		g.refund(project, 1)
		p := unavailable(err)
		p.eventID = id
		return p
	}
	g.metrics.accepted.Inc()
	g.rateLimitFields(ctx, project, 0)
	g.answerSingle(ctx, id)
	return nil
}

// deadline is until when a request that has been read waits for Kafka.
func (g *Gateway) deadline() time.Time { return time.Now().Add(g.cfg.RequestTimeout) }

// answerSingle writes the 202. It is put together by hand because nothing in it comes from a client but a parsed UUID, and
// it is the answer that is written most.
func (g *Gateway) answerSingle(ctx *fasthttp.RequestCtx, id uuid.UUID) {
	const before, after = `{"status":"accepted","event_id":"`, `"}`
	var text [len(before) + 36 + len(after)]byte
	copy(text[:], before)
	event.PutID(text[len(before):], id)
	copy(text[len(before)+36:], after)
	ctx.SetStatusCode(fasthttp.StatusAccepted)
	ctx.SetContentType("application/json")
	ctx.SetBody(text[:])
}

func decode(d *decoding, raw []byte) *problem {
	if err := d.decoder.Decode(raw, &d.event); err != nil {
		return fromDecoder(err)
	}
	return nil
}

// unavailable is the answer when Kafka did not say that it kept the event.
func unavailable(err error) *problem {
	switch {
	case errors.Is(err, errOverloaded):
		return refuse(kindUnavailable, "The gateway is overloaded.")
	case errors.Is(err, errAway):
		return refuse(kindUnavailable, "Kafka acknowledges nothing at the moment; the event was not kept: send it again with the same event_id.")
	case errors.Is(err, ErrTooLarge):
		p := refuse(kindTooLarge, "The event is larger than the Kafka topic takes, by its max.message.bytes.")
		p.limit = limitTopicBatch
		return p
	case errors.Is(err, ErrRefused):
		return refuse(kindInternal, "The event could not be stored.")
	default:
		return refuse(kindUnavailable, "The event was not acknowledged in time; it may have been kept: send it again with the same event_id.")
	}
}

// charge takes up to n events from the project's limit and returns how many it got.
func (g *Gateway) charge(p *project, n int) int {
	if p.limit == nil {
		return n
	}
	return p.limit.take(n, g.now())
}

func (g *Gateway) refund(p *project, n int) {
	if p.limit != nil && n > 0 {
		p.limit.refund(n)
	}
}

// rateLimitFields tells the client where it stands, on every 202 and 429 of a project with a limit (the fields are those of
// the IETF draft "RateLimit header fields for HTTP").
func (g *Gateway) rateLimitFields(ctx *fasthttp.RequestCtx, p *project, k kind) {
	if p.limit == nil || k != 0 && k != kindRateLimited {
		return
	}
	q := p.limit.quota(g.now())
	window := int((p.limit.window + time.Second - 1) / time.Second)
	whole := int((q.whole + time.Second - 1) / time.Second)
	h := &ctx.Response.Header
	var text [64]byte
	b := append(text[:0], `"events";q=`...)
	b = strconv.AppendInt(b, p.limit.events, 10)
	b = append(b, ";w="...)
	b = strconv.AppendInt(b, int64(window), 10)
	h.SetBytesV("RateLimit-Policy", b)
	b = append(text[:0], `"events";r=`...)
	b = strconv.AppendInt(b, int64(q.left), 10)
	b = append(b, ";t="...)
	b = strconv.AppendInt(b, int64(whole), 10)
	h.SetBytesV("RateLimit", b)
}
