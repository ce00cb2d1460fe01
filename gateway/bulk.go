package gateway

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/internal/event"
)

// maxErrors is how many refused events an answer lists; the retry ranges are always complete.
const maxErrors = 100

// bulk is one request to POST /api/v1/events/bulk while it is worked on. Every event ends in exactly one outcome.
type bulk struct {
	items    []item
	accepted int
	records  []Record
	at       []int    // records[i] is items[at[i]]
	whole    *problem // why an atomic bulk was refused as a whole
}

// item is one event of a bulk: kept if it has neither problem nor duplicate when all is done.
type item struct {
	id        uuid.UUID
	problem   *problem
	duplicate bool
}

// readBulk reads and validates; what comes back no longer refers to the request's buffers.
func (g *Gateway) readBulk(ctx *fasthttp.RequestCtx, stamp *stamp) (*bulk, *problem) {
	form, p := bodyForm(ctx)
	if p != nil {
		return nil, p
	}
	body := buffers.Get().(*bytes.Buffer) //nolint:forcetypeassert // the pool holds nothing else
	defer releaseBuffer(body)
	if p := readBody(ctx, body, &g.bulkLimit); p != nil {
		return nil, p
	}
	split := splits.Get().(*event.Bulk) //nolint:forcetypeassert // the pool holds nothing else
	defer splits.Put(split)
	if err := event.SplitBulk(body.Bytes(), form, split); err != nil {
		var refused *event.Error
		if errors.As(err, &refused) {
			return nil, fromEvent(refused)
		}
		return nil, refuse(kindInternal, "The bulk could not be read.")
	}
	stamp.sentInBody(split.SentAt)
	return g.validate(stamp, split), nil
}

// validate decodes every item and makes the records of the valid ones.
func (g *Gateway) validate(stamp *stamp, split *event.Bulk) *bulk {
	b := &bulk{
		items:   make([]item, len(split.Items)),
		records: make([]Record, 0, len(split.Items)),
		at:      make([]int, 0, len(split.Items)),
	}
	d := decoders.Get().(*decoding) //nolint:forcetypeassert // the pool holds nothing else
	defer decoders.Put(d)
	seen := make(map[uuid.UUID]struct{}, len(split.Items))
	for i, raw := range split.Items {
		it := &b.items[i]
		if len(raw) > g.cfg.MaxEventBytes {
			it.problem = tooLarge(limitEventBytes, "The event is larger than the limit.")
			continue
		}
		if it.problem = decode(d, raw); it.problem != nil {
			it.id = it.problem.eventID
			continue
		}
		it.id = stamp.id(&d.event, i)
		if _, again := seen[it.id]; again {
			it.duplicate = true
			continue
		}
		seen[it.id] = struct{}{}
		b.records = append(b.records, stamp.record(raw, it.id))
		b.at = append(b.at, i)
	}
	return b
}

// ingestBulk limits, publishes and answers.
func (g *Gateway) ingestBulk(ctx *fasthttp.RequestCtx, stamp *stamp) *problem {
	b, p := g.readBulk(ctx, stamp)
	if p != nil {
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
	refunds := 0
	for i, err := range g.publisher.Publish(b.records, g.deadline()) {
		if err != nil {
			b.items[b.at[i]].problem = unavailable(err)
			refunds++
		} else {
			b.accepted++
		}
	}
	g.refund(project, refunds)
	g.answerBulk(ctx, project, b, string(args.Peek("results")) == "all")
	return nil
}

func isTrue(v []byte) bool { return string(v) == "true" || string(v) == "1" }

// admitPart charges the valid events that fit into the limit, in order; the others are to be sent again.
func (g *Gateway) admitPart(project *project, b *bulk) {
	got := min(len(b.records), g.charge(project, max(1, len(b.records))))
	if got < len(b.records) {
		limited := g.rateLimited(project, len(b.records)-got)
		for _, i := range b.at[got:] {
			b.items[i].problem = limited
		}
	}
	b.records, b.at = b.records[:got], b.at[:got]
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
	if int64(len(b.records)) > project.limit.events {
		return tooLarge(limitRate, "The atomic bulk is larger than the project's whole rate limit.")
	}
	if !project.limit.takeAll(len(b.records), g.now()) {
		return g.rateLimited(project, len(b.records))
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
	b.records, b.at = nil, nil
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
