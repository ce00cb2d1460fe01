package protocol

import (
	"strconv"
	"sync"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/idset"
	"sluice/gateway/ingest"
	"sluice/internal/event"
)

// NativeBulk is POST /api/v1/events/bulk: many events, each with an outcome of its own.
var NativeBulk = &ingest.Protocol{
	Name: Native, Bulk: true, Key: ingest.FindKey, Form: ingest.BulkForm,
	Split: splitBulk, Answer: answerBulk, Refuse: ingest.WriteProblem,
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
func splitBulk(s *ingest.Submission) *ingest.Problem {
	s.Atomic = isTrue(s.Ctx.QueryArgs().Peek("atomic"))
	sp := splitters.Get().(*splitter)
	defer splitters.Put(sp)
	sp.seen.Reset()
	each := func(i int, raw []byte, ev *event.Event, err error) {
		if err != nil {
			s.Reject(ingest.FromDecoder(err))
			return
		}
		if id := s.EventID(ev, raw, i); sp.seen.Add(id) {
			s.Accept(raw, id)
		} else {
			s.Repeat(id)
		}
	}
	if err := event.DecodeBulk(s.Body(), s.Form, s.MaxEventBytes(), &sp.bulk, each); err != nil {
		return ingest.FromDecoder(err)
	}
	s.SentAt(sp.bulk.SentAt)
	return nil
}

func isTrue(v []byte) bool { return string(v) == "true" || string(v) == "1" }

// bulkBody is the JSON of a bulk's answer. The second part is present when nothing was kept.
type bulkBody struct {
	Status     string             `json:"status"`
	Accepted   int                `json:"accepted"`
	Duplicates int                `json:"duplicates"`
	Rejected   int                `json:"rejected"`
	Errors     []ingest.ErrorBody `json:"errors,omitempty"`
	Retry      [][2]int           `json:"retry,omitempty"`
	EventIDs   []*string          `json:"event_ids,omitempty"`

	Error     string `json:"error,omitempty"`
	Code      string `json:"code,omitempty"`
	Retryable *bool  `json:"retryable,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	Limit     string `json:"limit,omitempty"`
}

// answerBulk answers 202 if any event was kept; else 503 if any event may be retried, else 429, else 400.
func answerBulk(s *ingest.Submission) *ingest.Problem {
	ctx, ids := s.Ctx, string(s.Ctx.QueryArgs().Peek("results")) == "all"
	body := bulkBody{Status: "accepted", Accepted: s.Accepted()}
	var worst *ingest.Problem
	for i := range s.Items() {
		it := &s.Items()[i]
		switch {
		case it.Duplicate:
			body.Duplicates++
		case it.Problem != nil:
			body.Rejected++
			worst = worse(worst, it.Problem)
			s.CountRefused(it.Problem)
			body.list(i, it)
		}
		if ids {
			body.EventIDs = append(body.EventIDs, acceptedID(it))
		}
	}
	s.CountAccepted(s.Accepted())
	if body.Rejected > 0 {
		o := ingest.OutcomeOf(ctx)
		o.Kind, o.Events, o.Project = worst.Kind, body.Rejected, s.ProjectID()
	}
	h := &ctx.Response.Header
	h.Set("X-Accepted-Events", strconv.Itoa(body.Accepted))
	h.Set("X-Rejected-Events", strconv.Itoa(body.Rejected))
	if s.Accepted() > 0 {
		ctx.SetStatusCode(fasthttp.StatusAccepted)
		s.RateLimitFields(0)
	} else {
		if s.Whole() != nil {
			worst = s.Whole()
		} else if !worst.Kind.Retryable() {
			worst = ingest.Refuse(ingest.KindInvalidEvent, "The bulk holds no valid event.")
		}
		body.fail(ctx, worst)
		s.RateLimitFields(worst.Kind)
	}
	if len(body.Retry) > 0 && len(h.Peek(fasthttp.HeaderRetryAfter)) == 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(worst.Wait()))
	}
	ingest.WriteJSON(ctx, &body)
	return nil
}

// list adds a refused event to the errors and, if a retry can help, to the retry ranges.
func (body *bulkBody) list(i int, it *ingest.Item) {
	if len(body.Errors) < maxErrors {
		e := it.Problem.Body("")
		e.Index = &i
		if it.ID != uuid.Nil {
			e.EventID = it.ID.String()
		}
		body.Errors = append(body.Errors, e)
	}
	if !it.Problem.Kind.Retryable() {
		return
	}
	if n := len(body.Retry); n > 0 && body.Retry[n-1][1] == i-1 {
		body.Retry[n-1][1] = i
		return
	}
	body.Retry = append(body.Retry, [2]int{i, i})
}

// fail makes the answer a refusal of the whole bulk, with the status of p.
func (body *bulkBody) fail(ctx *fasthttp.RequestCtx, p *ingest.Problem) {
	p.WriteHead(ctx)
	e := p.Body(string(ctx.Response.Header.Peek(ingest.HeaderRequestID)))
	body.Status = "rejected"
	body.Error, body.Code, body.Retryable = e.Error, e.Code, &e.Retryable
	body.RequestID, body.Limit = e.RequestID, e.Limit
}

func acceptedID(it *ingest.Item) *string {
	if it.Problem != nil {
		return nil
	}
	id := it.ID.String()
	return &id
}

// worse returns the problem that decides the status of a bulk.
func worse(a, b *ingest.Problem) *ingest.Problem {
	rank := func(p *ingest.Problem) int {
		if p == nil {
			return 0
		}
		switch p.Kind {
		case ingest.KindUnavailable:
			return 4
		case ingest.KindInternal:
			return 3
		case ingest.KindRateLimited:
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
