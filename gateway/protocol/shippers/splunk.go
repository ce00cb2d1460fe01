package shippers

import (
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
	"sluice/internal/format"
)

// SplunkEvents is Splunk's HTTP Event Collector: objects one after the other, each with an event.
var SplunkEvents = &ingest.Protocol{
	Name: "splunk", Format: format.Splunk, Bulk: true, DerivesIDs: true, ResendsWhole: true, Key: ingest.FindKey,
	Split: splitSplunk, Answer: answerSplunk, Refuse: refuseSplunk,
}

// splitSplunk validates every object. An array of objects is taken too. Brackets and quotes show where an object ends;
// what follows an object without an end is one invalid event, as it is to the collector.
func splitSplunk(s *ingest.Submission) *ingest.Problem {
	sh := beginShipped(s)
	defer sh.end()
	sc := &sh.scan
	sc.Reset(s.Body(), sc.Repairs[:0])
	if sc.Peek() == '[' {
		for a := sc.Array(); sc.Item(&a); {
			if p := sh.skipped(s); p != nil {
				return p
			}
		}
		sc.End()
		if sc.Fault != "" {
			return ingest.Refuse(ingest.KindMalformed, "The JSON of the request is malformed: "+sc.Fault+".")
		}
	}
	for sc.Peek() != 0 || sc.Pos < len(sc.Data) {
		if p := sh.skipped(s); p != nil {
			return p
		}
	}
	if len(s.Items()) == 0 {
		return errSplunkNoData
	}
	return nil
}

// skipped takes the event at the scanner's position, and moves to its end.
func (sh *shipped) skipped(s *ingest.Submission) *ingest.Problem {
	if p := full(s); p != nil {
		return p
	}
	sc := &sh.scan
	sc.Peek()
	start := sc.Pos
	sc.Skip()
	sh.take(s, format.Splunk, sc.Data[start:sc.Pos:sc.Pos])
	return nil
}

// splunkAnswer is the collector's answer.
type splunkAnswer struct {
	Text string `json:"text"`
	Code int    `json:"code"`
	// Invalid is the index of the first event that is invalid.
	Invalid *int `json:"invalid-event-number,omitempty"`
}

// The collector's codes.
const (
	splunkSuccess       = 0
	splunkDisabled      = 1
	splunkTokenRequired = 2
	splunkInvalidAuth   = 3
	splunkInvalidToken  = 4
	splunkNoData        = 5
	splunkInvalidData   = 6
	splunkInternal      = 8
	splunkBusy          = 9
	splunkNoEvent       = 12
	splunkBlankEvent    = 13
	splunkHealthy       = 17
	splunkUnhealthy     = 18
)

// answerSplunk answers 200 if every event was kept. If one may be sent again the client sends all of them, and those
// that were kept already are the same events. Otherwise it answers 400 with the number of the first invalid event: the
// others were kept, and the client does not send them again.
func answerSplunk(s *ingest.Submission) *ingest.Problem {
	worst, at := count(s)
	answer := splunkAnswer{Text: "Success", Code: splunkSuccess}
	if worst == nil {
		s.Ctx.SetStatusCode(fasthttp.StatusOK)
		s.RateLimitFields(0)
	} else {
		worst.WriteHead(s.Ctx)
		s.RateLimitFields(worst.Kind)
		if answer = splunkRefusal(worst); !worst.Kind.Retryable() {
			answer.Invalid = &at
		}
	}
	ingest.WriteJSON(s.Ctx, &answer)
	return nil
}

// refuseSplunk answers a request that is refused as a whole.
func refuseSplunk(ctx *fasthttp.RequestCtx, p *ingest.Problem) {
	p.WriteHead(ctx)
	answer := splunkRefusal(p)
	if p.Kind == ingest.KindUnauthorized {
		if key, _ := ingest.FindKey(ctx); key.Given() {
			answer = splunkAnswer{Text: "Invalid token", Code: splunkInvalidToken}
		}
	}
	ingest.WriteJSON(ctx, &answer)
}

// splunkRefusal translates a problem. The statuses are our own: they say more than the collector's.
func splunkRefusal(p *ingest.Problem) splunkAnswer {
	switch p.Kind {
	case ingest.KindUnauthorized:
		return splunkAnswer{Text: "Token is required", Code: splunkTokenRequired}
	case ingest.KindForbidden:
		return splunkAnswer{Text: p.Text, Code: splunkDisabled}
	case ingest.KindConflictingKeys:
		return splunkAnswer{Text: "Invalid authorization: " + p.Text, Code: splunkInvalidAuth}
	case ingest.KindEmpty:
		return splunkAnswer{Text: "No data", Code: splunkNoData}
	case ingest.KindRateLimited, ingest.KindUnavailable, ingest.KindTimeout:
		return splunkAnswer{Text: "Server is busy: " + p.Text, Code: splunkBusy}
	case ingest.KindInternal:
		return splunkAnswer{Text: "Internal server error", Code: splunkInternal}
	default:
	}
	switch p.Text {
	case format.SplunkEventRequired:
		return splunkAnswer{Text: p.Text, Code: splunkNoEvent}
	case format.SplunkEventBlank:
		return splunkAnswer{Text: p.Text, Code: splunkBlankEvent}
	}
	return splunkAnswer{Text: "Invalid data format: " + p.Text, Code: splunkInvalidData}
}

// SplunkHealth answers a health check of the collector.
func SplunkHealth(ctx *fasthttp.RequestCtx, healthy bool) {
	answer := splunkAnswer{Text: "HEC is healthy", Code: splunkHealthy}
	if !healthy {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		answer = splunkAnswer{Text: "HEC is unhealthy: the gateway is draining.", Code: splunkUnhealthy}
	}
	ingest.WriteJSON(ctx, &answer)
}
