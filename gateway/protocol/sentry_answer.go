package protocol

import (
	"cmp"
	"encoding/hex"
	"strconv"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/internal/event"
)

// answerSentry answers 200 if an event was kept or none was sent; else with the worst reason. If Kafka did not take an
// event the answer is 503, even if it took others: a relay in between sends all again, and the ids are the same.
func answerSentry(s *ingest.Submission) *ingest.Problem {
	var worst *ingest.Problem
	refused, id, wait := 0, s.OwnID, s.LimitWait()
	for i := len(s.Items()) - 1; i >= 0; i-- {
		it := &s.Items()[i]
		if it.Problem == nil {
			id = it.ID
			continue
		}
		refused++
		s.CountRefused(it.Problem)
		worst = worse(worst, it.Problem)
		wait = max(wait, it.Problem.PassesAfter)
	}
	s.CountAccepted(s.Accepted())
	if refused > 0 {
		o := ingest.OutcomeOf(s.Ctx)
		o.Kind, o.Events, o.Project = worst.Kind, refused, s.ProjectID()
	}
	if refused > 0 && (s.Accepted() == 0 || worst.Kind == ingest.KindUnavailable) {
		s.RateLimitFields(worst.Kind)
		refuseSentry(s.Ctx, worst)
		return nil
	}
	s.RateLimitFields(0)
	limitSentry(s.Ctx, wait)
	if id == uuid.Nil {
		id = event.NewID() // clients want one
	}
	writeSentryID(s.Ctx, id)
	return nil
}

// writeSentryID writes the 200.
func writeSentryID(ctx *fasthttp.RequestCtx, id uuid.UUID) {
	const before, after = `{"id":"`, `"}`
	var text [len(before) + 32 + len(after)]byte
	copy(text[:], before)
	hex.Encode(text[len(before):], id[:])
	copy(text[len(before)+32:], after)
	ctx.SetStatusCode(fasthttp.StatusOK)
	ctx.SetContentType("application/json")
	ctx.SetBody(text[:])
}

// sentryBody is the JSON of a refusal. Sentry's clients show the detail in their debug output.
type sentryBody struct {
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Retryable bool   `json:"retryable"`
	RequestID string `json:"request_id,omitempty"`
	Limit     string `json:"limit,omitempty"`
}

// refuseSentry answers a request of which nothing was kept.
func refuseSentry(ctx *fasthttp.RequestCtx, p *ingest.Problem) {
	p.WriteHead(ctx)
	if p.Kind == ingest.KindRateLimited {
		limitSentry(ctx, cmp.Or(p.PassesAfter, p.RetryAfter))
	}
	ingest.WriteJSON(ctx, sentryBody{
		Detail: p.Text, Code: p.Kind.Code(), Retryable: p.Kind.Retryable(), Limit: p.Limit,
		RequestID: string(ctx.Response.Header.Peek(ingest.HeaderRequestID)),
	})
}

// limitedCategories are what counts against the rate limit. Clients go on to send everything else, their reports of
// what they dropped among it.
const limitedCategories = ":error;transaction;log_item;span;feedback:key"

// limitSentry tells the client how long to keep events to itself, in seconds; 0: not at all. The client drops all
// events of that time, so it is the time after which events pass again, and not the longer one of Retry-After.
func limitSentry(ctx *fasthttp.RequestCtx, seconds int) {
	if seconds > 0 {
		var text [64 + 20]byte
		b := append(strconv.AppendInt(text[:0], int64(seconds), 10), limitedCategories...)
		ctx.Response.Header.SetBytesV("X-Sentry-Rate-Limits", b)
	}
}
