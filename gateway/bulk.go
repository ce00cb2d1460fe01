package gateway

import (
	"strconv"
	"sync"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/idset"
	"sluice/internal/event"
)

// nativeBulk is POST /api/v1/events/bulk: many events, each with an outcome of its own.
var nativeBulk = &protocol{
	key:    findKey,
	form:   bodyForm,
	limit:  func(in *ingester) *bodyLimit { return &in.bulkLimit },
	split:  splitBulk,
	answer: answerBulk,
	refuse: writeProblem,
}

// maxErrors is how many refused events an answer lists. The retry ranges are always complete.
const maxErrors = 100

// splitters hold the memory that a bulk needs only while it is split.
var splitters = sync.Pool{New: func() any { return new(splitter) }}

type splitter struct {
	bulk event.Bulk
	seen idset.Set
}

// splitBulk validates every event of the body.
func splitBulk(s *submission) *problem {
	s.atomic = isTrue(s.ctx.QueryArgs().Peek("atomic"))
	sp := splitters.Get().(*splitter)
	defer splitters.Put(sp)
	sp.seen.Reset()
	each := func(i int, raw []byte, ev *event.Event, err error) {
		if err != nil {
			s.reject(fromDecoder(err))
			return
		}
		if id := s.eventID(ev, i); sp.seen.Add(id) {
			s.accept(raw, id)
		} else {
			s.repeat(id)
		}
	}
	if err := event.DecodeBulk(s.body.Bytes(), s.form, s.maxEventBytes, &sp.bulk, each); err != nil {
		return fromDecoder(err)
	}
	s.stamp.sentInBody(sp.bulk.SentAt)
	return nil
}

func isTrue(v []byte) bool { return string(v) == "true" || string(v) == "1" }

// bulkBody is the JSON of a bulk's answer. The second part is present when nothing was kept.
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

// answerBulk answers 202 if any event was kept; else 503 if any event may be retried, else 429, else 400.
func answerBulk(s *submission) *problem {
	ctx, ids := s.ctx, string(s.ctx.QueryArgs().Peek("results")) == "all"
	body := bulkBody{Status: "accepted", Accepted: s.accepted}
	var worst *problem
	for i := range s.items {
		it := &s.items[i]
		switch {
		case it.duplicate:
			body.Duplicates++
		case it.problem != nil:
			body.Rejected++
			worst = worse(worst, it.problem)
			s.metrics.reject(it.problem.kind, 1)
			body.list(i, it)
		}
		if ids {
			body.EventIDs = append(body.EventIDs, it.acceptedID())
		}
	}
	s.metrics.accepted.Add(float64(s.accepted))
	if body.Rejected > 0 {
		o := outcomeOf(ctx)
		o.kind, o.events, o.project = worst.kind, body.Rejected, s.project.id
	}
	h := &ctx.Response.Header
	h.Set("X-Accepted-Events", strconv.Itoa(body.Accepted))
	h.Set("X-Rejected-Events", strconv.Itoa(body.Rejected))
	if s.accepted > 0 {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
		s.rateLimitFields(0)
	} else {
		if s.whole != nil {
			worst = s.whole
		} else if !answers[worst.kind].retryable {
			worst = refuse(kindInvalidEvent, "The bulk holds no valid event.")
		}
		body.fail(ctx, worst)
		s.rateLimitFields(worst.kind)
	}
	if len(body.Retry) > 0 && len(h.Peek(fasthttp.HeaderRetryAfter)) == 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(worst.wait()))
	}
	writeJSON(ctx, &body)
	return nil
}

// list adds a refused event to the errors and, if a retry can help, to the retry ranges.
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

// fail makes the answer a refusal of the whole bulk, with the status of p.
func (body *bulkBody) fail(ctx *fasthttp.RequestCtx, p *problem) {
	p.writeHead(ctx)
	e := p.body(string(ctx.Response.Header.Peek(headerRequestID)))
	body.Status = "rejected"
	body.Error, body.Code, body.Retryable = e.Error, e.Code, &e.Retryable
	body.RequestID, body.Limit = e.RequestID, e.Limit
}

func (it *item) acceptedID() *string {
	if it.problem != nil {
		return nil
	}
	id := it.id.String()
	return &id
}

// worse returns the problem that decides the status of a bulk.
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

// wait returns the Retry-After, in seconds, of the events that a client sends again.
func (p *problem) wait() int {
	if p.retryAfter > 0 {
		return p.retryAfter
	}
	return unavailableRetryAfter()
}
