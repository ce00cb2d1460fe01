package protocol

import (
	"encoding/json"
	"strconv"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/encoding/protowire"

	"sluice/gateway/ingest"
)

// answerOTLP answers 200 if nothing is left to send again: with a partial success if records were rejected for good. It
// answers 503 or 429 if at least one record is worth sending again, whatever became of the others. It answers 400 if
// all records were rejected for good.
func answerOTLP(s *ingest.Submission) *ingest.Problem {
	o := otlpOutcome(s)
	s.CountAccepted(s.Accepted())
	if o.rejected+o.again > 0 {
		out := ingest.OutcomeOf(s.Ctx)
		out.Kind, out.Events, out.Project = o.first().Kind, o.rejected+o.again, s.ProjectID()
	}
	switch {
	case o.again > 0:
		s.RateLimitFields(o.worst.Kind)
		refuseOTLP(s.Ctx, o.worst)
	case o.rejected > 0 && s.Accepted() == 0:
		refuseOTLP(s.Ctx, ingest.Refuse(ingest.KindInvalidEvent,
			"All log records were rejected, the first for this reason: "+o.reason.Text))
	default:
		s.RateLimitFields(0)
		writeOTLP(s.Ctx, o)
	}
	return nil
}

// otlpResult is what became of the records of a request.
type otlpResult struct {
	again    int             // records to send again
	worst    *ingest.Problem // why
	rejected int             // records that were rejected for good
	reason   *ingest.Problem // why the first of them was
}

func (o *otlpResult) first() *ingest.Problem {
	if o.worst != nil {
		return o.worst
	}
	return o.reason
}

// otlpOutcome counts the records. A record that the rate limit refuses while it takes others of the request never fits:
// such a request is larger than the whole limit.
func otlpOutcome(s *ingest.Submission) *otlpResult {
	o := &otlpResult{}
	for i := range s.Items() {
		p := s.Items()[i].Problem
		if p == nil {
			continue
		}
		s.CountRefused(p)
		if p.Kind.Retryable() && (p.Kind != ingest.KindRateLimited || s.Accepted() == 0) {
			o.again++
			o.worst = worse(o.worst, p)
		} else {
			o.reject(p, 1)
		}
	}
	if p, n := s.Rest(); n > 0 {
		s.CountAllRefused(p, n)
		o.reject(p, n)
	}
	return o
}

func (o *otlpResult) reject(p *ingest.Problem, records int) {
	o.rejected += records
	if o.reason == nil {
		o.reason = p
	}
}

// writeOTLP writes the answer to a request of which nothing is left to send again, in the request's encoding.
func writeOTLP(ctx *fasthttp.RequestCtx, o *otlpResult) {
	message := ""
	if o.rejected > 0 {
		message = strconv.Itoa(o.rejected) + " log records were rejected, the first for this reason: " + o.reason.Text
	}
	ctx.SetStatusCode(fasthttp.StatusOK)
	if !isProtobuf(ctx) {
		var answer struct {
			PartialSuccess struct {
				RejectedLogRecords string `json:"rejectedLogRecords,omitempty"` // 64-bit integers are strings
				ErrorMessage       string `json:"errorMessage,omitempty"`
			} `json:"partialSuccess"`
		}
		if o.rejected > 0 {
			answer.PartialSuccess.RejectedLogRecords = strconv.Itoa(o.rejected)
			answer.PartialSuccess.ErrorMessage = message
		}
		ingest.WriteJSON(ctx, &answer)
		return
	}
	ctx.SetContentType(typeProtobuf)
	if o.rejected > 0 {
		partial := protowire.AppendTag(nil, 1, protowire.VarintType) // rejected_log_records
		partial = protowire.AppendVarint(partial, uint64(o.rejected))
		partial = protowire.AppendTag(partial, 2, protowire.BytesType) // error_message
		partial = protowire.AppendString(partial, message)
		ctx.SetBody(protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial))
	}
}

// refuseOTLP answers with a google.rpc.Status in the request's encoding. The clients send again what was answered 429,
// 502, 503 or 504 and drop everything else, so a retryable problem with another status is answered 503.
func refuseOTLP(ctx *fasthttp.RequestCtx, p *ingest.Problem) {
	p.WriteHead(ctx)
	if p.Kind.Retryable() && p.Kind != ingest.KindRateLimited {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		if len(ctx.Response.Header.Peek(fasthttp.HeaderRetryAfter)) == 0 {
			ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(p.Wait()))
		}
	}
	code := rpcCode(ctx.Response.StatusCode())
	if !isProtobuf(ctx) {
		text, _ := json.Marshal(struct { // a number and a string are always JSON
			Code    int    `json:"code"`
			Message string `json:"message"`
		}{code, p.Text})
		ctx.SetContentType(typeJSON)
		ctx.SetBody(text)
		return
	}
	ctx.SetContentType(typeProtobuf)
	status := protowire.AppendTag(nil, 1, protowire.VarintType) // code
	status = protowire.AppendVarint(status, uint64(code))
	status = protowire.AppendTag(status, 2, protowire.BytesType) // message
	ctx.SetBody(protowire.AppendString(status, p.Text))
}

// rpcCode returns the code of google.rpc.Code for a status.
func rpcCode(status int) int {
	switch status {
	case fasthttp.StatusUnauthorized:
		return 16 // UNAUTHENTICATED
	case fasthttp.StatusForbidden:
		return 7 // PERMISSION_DENIED
	case fasthttp.StatusTooManyRequests:
		return 8 // RESOURCE_EXHAUSTED
	case fasthttp.StatusServiceUnavailable:
		return 14 // UNAVAILABLE
	}
	return 3 // INVALID_ARGUMENT
}
