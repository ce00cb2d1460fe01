package protocol

import (
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
)

// elasticAnswer is the answer to a bulk of which at least a part is final.
type elasticAnswer struct {
	Took   int64           `json:"took"`
	Errors bool            `json:"errors"`
	Items  []elasticResult `json:"items"`
	// The rest is in the answer to a bulk that is to be sent again as a whole.
	*elasticRefusal
}

// elasticResult has one member, the action.
type elasticResult map[string]elasticStatus

type elasticStatus struct {
	Index  string        `json:"_index"`
	ID     string        `json:"_id,omitempty"`
	Status int           `json:"status"`
	Result string        `json:"result,omitempty"`
	Error  *elasticCause `json:"error,omitempty"`
}

type elasticCause struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// elasticRefusal is the answer to a request that is refused as a whole, with the fields of our own refusals.
type elasticRefusal struct {
	Error struct {
		RootCause []elasticCause `json:"root_cause"`
		elasticCause
	} `json:"error"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Retryable bool   `json:"retryable"`
	RequestID string `json:"request_id,omitempty"`
	Limit     string `json:"limit,omitempty"`
}

// answerElastic answers 200 with a status for each document. If none was kept and all may be sent again, it answers 503
// or 429 with the same body: shippers look at the status before they look at the items, and send the whole bulk again.
func answerElastic(s *ingest.Submission) *ingest.Problem {
	worst, _ := count(s)
	actions, _ := s.State.([]elasticAction)
	body := elasticAnswer{
		Took: time.Since(s.Ctx.Time()).Milliseconds(), Errors: worst != nil,
		Items: make([]elasticResult, len(actions)),
	}
	final := worst == nil
	for i := range s.Items() {
		it := &s.Items()[i]
		final = final || it.Problem == nil || !it.Problem.Kind.Retryable()
		body.Items[i] = elasticResult{elasticActions[actions[i].what]: actions[i].status(it)}
	}
	s.Ctx.Response.Header.Set(headerProduct, productElastic)
	if final {
		s.Ctx.SetStatusCode(fasthttp.StatusOK)
		s.RateLimitFields(0)
	} else {
		worst.WriteHead(s.Ctx)
		body.elasticRefusal = elasticRefusalOf(s.Ctx, worst)
		s.RateLimitFields(worst.Kind)
	}
	ingest.WriteJSON(s.Ctx, &body)
	return nil
}

// status says what became of a document. A document that may be sent again gets 429, which is the one status of an item
// that all clients take as a reason to do so.
func (a *elasticAction) status(it *ingest.Item) elasticStatus {
	st := elasticStatus{Index: a.index, ID: a.id, Status: fasthttp.StatusCreated, Result: "created"}
	if st.ID == "" && it.ID != uuid.Nil {
		st.ID = it.ID.String()
	}
	switch p := it.Problem; {
	case it.Duplicate:
		st.Status, st.Result = fasthttp.StatusOK, "noop"
	case p != nil:
		st.Status, st.Result = p.Kind.Status(), ""
		if p.Kind.Retryable() {
			st.Status = fasthttp.StatusTooManyRequests
		}
		st.Error = elasticCauseOf(p)
	}
	return st
}

func elasticCauseOf(p *ingest.Problem) *elasticCause {
	cause := &elasticCause{Type: "document_parsing_exception", Reason: p.Text}
	switch p.Kind {
	case ingest.KindRateLimited, ingest.KindUnavailable, ingest.KindInternal, ingest.KindTimeout:
		cause.Type = "es_rejected_execution_exception"
	case ingest.KindUnauthorized, ingest.KindForbidden, ingest.KindConflictingKeys:
		cause.Type = "security_exception"
	case ingest.KindTooLarge:
		cause.Type = "content_too_long_exception"
	case ingest.KindMalformed, ingest.KindEmpty, ingest.KindUnsupportedMediaType:
		cause.Type = "illegal_argument_exception"
	default:
	}
	return cause
}

func elasticRefusalOf(ctx *fasthttp.RequestCtx, p *ingest.Problem) *elasticRefusal {
	ours := p.Body(string(ctx.Response.Header.Peek(ingest.HeaderRequestID)))
	r := &elasticRefusal{
		Status: p.Kind.Status(), Code: ours.Code, Retryable: ours.Retryable, RequestID: ours.RequestID,
		Limit: ours.Limit,
	}
	r.Error.elasticCause = *elasticCauseOf(p)
	r.Error.RootCause = []elasticCause{r.Error.elasticCause}
	return r
}

// refuseElastic answers a request that is refused as a whole.
func refuseElastic(ctx *fasthttp.RequestCtx, p *ingest.Problem) {
	p.WriteHead(ctx)
	ctx.Response.Header.Set(headerProduct, productElastic)
	ingest.WriteJSON(ctx, elasticRefusalOf(ctx, p))
}

// Clients of Elasticsearch refuse to talk to a server without this header.
const (
	headerProduct  = "X-Elastic-Product"
	productElastic = "Elasticsearch"
)
