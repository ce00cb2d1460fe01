package protocol

import (
	"strconv"

	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
)

// answerCalls answers a request whose clients know only success and failure, and send all of a failed request again:
// 200 with done if all valid events were kept, else the refusal that says what to do. What was kept of a refused
// request has the same id the next time.
func answerCalls(s *ingest.Submission, done string, refuse func(*fasthttp.RequestCtx, *ingest.Problem)) {
	ctx, rejected := s.Ctx, 0
	var worst *ingest.Problem
	for i := range s.Items() {
		if p := s.Items()[i].Problem; p != nil {
			rejected++
			worst = worse(worst, p)
			s.CountRefused(p)
		}
	}
	s.CountAccepted(s.Accepted())
	h := &ctx.Response.Header
	h.Set("X-Accepted-Events", strconv.Itoa(s.Accepted()))
	h.Set("X-Rejected-Events", strconv.Itoa(rejected))
	if worst != nil && (worst.Kind.Retryable() || s.Accepted() == 0) {
		if len(s.Items()) > 1 && worst.Kind == ingest.KindMalformed {
			worst = errNoValidItem
		}
		refuse(ctx, worst)
		s.RateLimitFields(worst.Kind)
	} else {
		ctx.SetContentType("application/json")
		ctx.SetBodyString(done)
		s.RateLimitFields(0)
	}
	if rejected > 0 {
		o := ingest.OutcomeOf(ctx)
		o.Kind, o.Events, o.Project = worst.Kind, rejected, s.ProjectID()
	}
}

var errNoValidItem = ingest.Refuse(ingest.KindInvalidEvent, "The batch holds no valid event.")
