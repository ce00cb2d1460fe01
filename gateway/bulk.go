package gateway

import (
	"strconv"
	"sync"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

// maxErrors is how many refused events an answer lists; the retry ranges are always complete.
const maxErrors = 100

// bulk is one request to POST /api/v1/events/bulk while it is worked on. Every event ends in exactly one outcome. It is reused.
type bulk struct {
	items    []item
	accepted int
	records  *parcel
	at       []int32  // the i-th record is of items[at[i]]
	whole    *problem // why an atomic bulk was refused as a whole

	split event.Bulk
	seen  idSet
}

// item is one event of a bulk: kept if it has neither problem nor duplicate when all is done.
type item struct {
	id        uuid.UUID
	problem   *problem
	duplicate bool
}

var bulks = sync.Pool{New: func() any { return new(bulk) }}

// reset forgets all events, but not the memory.
func (b *bulk) reset() {
	if b.records != nil {
		b.records.release()
	}
	clear(b.items)
	b.items, b.at = b.items[:0], b.at[:0]
	b.accepted, b.records, b.whole = 0, nil, nil
	b.seen.reset()
}

// read reads and validates the body; what is in b then no longer refers to the request's buffers.
func (g *Gateway) read(ctx *fasthttp.RequestCtx, stamp *stamp, b *bulk) *problem {
	form, p := bodyForm(ctx)
	if p != nil {
		return p
	}
	body := buffers.Get().(*bodyBuffer) //nolint:forcetypeassert // the pool holds nothing else
	defer releaseBuffer(body)
	if p := readBody(ctx, body, &g.bulkLimit); p != nil {
		return p
	}
	p = g.decodeBulk(stamp, b, body.Bytes(), form)
	if p == nil && stamp.sentInBody(b.split.SentAt) {
		// It stood behind the events, or the records would have it already: they are made once more.
		p = g.decodeBulk(stamp, b, body.Bytes(), form)
	}
	return p
}

// decodeBulk decodes every item and makes the records of the valid ones.
func (g *Gateway) decodeBulk(stamp *stamp, b *bulk, body []byte, form event.Form) *problem {
	b.reset()
	b.records = g.publisher.NewRequest()
	left := len(body)
	err := event.DecodeBulk(body, form, g.cfg.MaxEventBytes, &b.split, func(i int, raw []byte, ev *event.Event, err error) {
		b.items = append(b.items, item{})
		it := &b.items[i]
		if err != nil {
			it.problem = fromDecoder(err)
			it.id = it.problem.eventID
			return
		}
		it.id = stamp.id(ev, i)
		if it.duplicate = !b.seen.add(it.id); it.duplicate {
			return
		}
		stamp.record(b.records, raw, it.id, left)
		left -= len(raw)
		b.at = append(b.at, int32(i)) //nolint:gosec // at most MaxBulkEvents
	})
	if err != nil {
		return fromDecoder(err)
	}
	return nil
}

// ingestBulk limits, publishes and answers.
func (g *Gateway) ingestBulk(ctx *fasthttp.RequestCtx, stamp *stamp) *problem {
	b := bulks.Get().(*bulk) //nolint:forcetypeassert // the pool holds nothing else
	defer func() {
		b.reset()
		bulks.Put(b)
	}()
	if p := g.read(ctx, stamp, b); p != nil {
		return p
	}
	project := stamp.project
	args := ctx.QueryArgs()
	if isTrue(args.Peek("atomic")) {
		if b.whole = g.admitWhole(project, b); b.whole != nil {
			b.refuseAll(b.whole)
		}
	} else {
		g.admitPart(project, b)
	}
	g.publisher.Publish(b.records, g.deadline())
	g.refund(project, b.settle())
	g.answerBulk(ctx, project, b, string(args.Peek("results")) == "all")
	return nil
}

// settle notes what became of the records, and returns how many were not kept.
func (b *bulk) settle() (refused int) {
	at := b.at
	b.records.outcomes(func(n int, err error) {
		if err == nil {
			b.accepted += n
		} else {
			p := unavailable(err)
			for _, i := range at[:n] {
				b.items[i].problem = p
			}
			refused += n
		}
		at = at[n:]
	})
	return refused
}

func isTrue(v []byte) bool { return string(v) == "true" || string(v) == "1" }

// admitPart charges the valid events that fit into the limit, in order; the others are to be sent again.
func (g *Gateway) admitPart(project *project, b *bulk) {
	got := min(len(b.at), g.charge(project, max(1, len(b.at))))
	if got < len(b.at) {
		limited := g.rateLimited(project, len(b.at)-got)
		for _, i := range b.at[got:] {
			b.items[i].problem = limited
		}
	}
	b.keep(got)
}

// keep drops the records of all events but the first n.
func (b *bulk) keep(n int) {
	b.records.keep(n)
	b.at = b.at[:n]
}

// admitWhole charges all events of an atomic bulk, or says why none of it may pass.
func (g *Gateway) admitWhole(project *project, b *bulk) *problem {
	for i := range b.items {
		if b.items[i].problem != nil {
			return refuse(kindInvalidEvent, "The bulk is atomic and at least one of its events is invalid.")
		}
	}
	if project.limit == nil {
		return nil
	}
	if int64(len(b.at)) > project.limit.events {
		return tooLarge("The atomic bulk has more events than", limitRate, project.limit.events, "events")
	}
	if !project.limit.takeAll(len(b.at), g.now()) {
		return g.rateLimited(project, len(b.at))
	}
	return nil
}

// refuseAll gives every event that has no problem of its own the bulk's.
func (b *bulk) refuseAll(p *problem) {
	for i := range b.items {
		if b.items[i].problem == nil && !b.items[i].duplicate {
			b.items[i].problem = p
		}
	}
	b.keep(0)
}

// bulkBody is the JSON of a bulk's answer; the fields of an error join it when nothing was kept.
type bulkBody struct {
	Status     string      `json:"status"`
	Accepted   int         `json:"accepted"`
	Duplicates int         `json:"duplicates"`
	Rejected   int         `json:"rejected"`
	Errors     []errorBody `json:"errors,omitempty"`
	Retry      [][2]int    `json:"retry,omitempty"`
	EventIDs   []*string   `json:"event_ids,omitempty"`

	Error     string `json:"error,omitempty"`
	Code      string `json:"code,omitempty"`
	Retryable *bool  `json:"retryable,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Limit     string `json:"limit,omitempty"`
}

// answerBulk answers 202 if anything was kept; else 503 if any event failed for that, else 429, else 400.
func (g *Gateway) answerBulk(ctx *fasthttp.RequestCtx, project *project, b *bulk, ids bool) {
	body := bulkBody{Status: "accepted", Accepted: b.accepted}
	var worst *problem
	for i := range b.items {
		it := &b.items[i]
		switch {
		case it.duplicate:
			body.Duplicates++
		case it.problem != nil:
			body.Rejected++
			worst = worse(worst, it.problem)
			g.metrics.reject(it.problem.kind, 1)
			body.list(i, it)
		}
		if ids {
			body.EventIDs = append(body.EventIDs, it.acceptedID())
		}
	}
	g.metrics.accepted.Add(float64(b.accepted))
	if body.Rejected > 0 {
		o := outcomeOf(ctx)
		o.kind, o.events, o.project = worst.kind, body.Rejected, project.id
	}
	h := &ctx.Response.Header
	h.Set("X-Accepted-Events", strconv.Itoa(body.Accepted))
	h.Set("X-Rejected-Events", strconv.Itoa(body.Rejected))
	if b.accepted > 0 {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
		g.rateLimitFields(ctx, project, 0)
	} else {
		if b.whole != nil {
			worst = b.whole
		} else if !answers[worst.kind].retryable {
			worst = refuse(kindInvalidEvent, "The bulk holds no valid event.")
		}
		body.fail(ctx, worst)
		g.rateLimitFields(ctx, project, worst.kind)
	}
	if len(body.Retry) > 0 && len(h.Peek(fasthttp.HeaderRetryAfter)) == 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(worst.wait()))
	}
	writeJSON(ctx, &body)
}

// list adds a refused event to the errors and, if sending it again can help, to the retry ranges.
func (body *bulkBody) list(i int, it *item) {
	if len(body.Errors) < maxErrors {
		e := it.problem.body("")
		e.Index = &i
		if it.id != uuid.Nil {
			e.EventID = it.id.String()
		}
		body.Errors = append(body.Errors, e)
	}
	if !answers[it.problem.kind].retryable {
		return
	}
	if n := len(body.Retry); n > 0 && body.Retry[n-1][1] == i-1 {
		body.Retry[n-1][1] = i
		return
	}
	body.Retry = append(body.Retry, [2]int{i, i})
}

// fail makes the answer a refusal of the whole: p decides its status.
func (body *bulkBody) fail(ctx *fasthttp.RequestCtx, p *problem) {
	p.writeHead(ctx)
	e := p.body(string(ctx.Response.Header.Peek(headerRequestID)))
	body.Status = "rejected"
	body.Error, body.Code, body.Retryable, body.RequestID, body.Limit = e.Error, e.Code, &e.Retryable, e.RequestID, e.Limit
}

func (it *item) acceptedID() *string {
	if it.problem != nil {
		return nil
	}
	id := it.id.String()
	return &id
}

// worse picks the problem that decides the status of a bulk.
func worse(a, b *problem) *problem {
	rank := func(p *problem) int {
		if p == nil {
			return 0
		}
		switch p.kind {
		case kindUnavailable:
			return 4
		case kindInternal:
			return 3
		case kindRateLimited:
			return 2
		default:
			return 1
		}
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// wait is the Retry-After of the part of a bulk that is to be sent again.
func (p *problem) wait() int {
	if p.retryAfter > 0 {
		return p.retryAfter
	}
	return unavailableRetryAfter()
}
