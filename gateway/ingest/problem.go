package ingest

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/internal/event"
)

const HeaderRequestID = "X-Request-Id"

// Kind is the reason for which a request, or one event of a bulk, was not kept. The table answers has an answer for
// each.
type Kind int

const (
	KindMalformed Kind = iota + 1
	KindInvalidEvent
	KindEmpty
	KindConflictingKeys
	KindUnauthorized
	KindForbidden
	KindNotFound
	KindMethodNotAllowed
	KindTimeout
	KindTooLarge
	KindURITooLong
	KindHeadersTooLarge
	KindUnsupportedMediaType
	KindRateLimited
	KindInternal
	KindUnavailable
)

// answers maps each kind to what the client sees.
var answers = [...]struct {
	status    int
	Code      string
	Retryable bool
}{
	KindMalformed:            {fasthttp.StatusBadRequest, "malformed", false},
	KindInvalidEvent:         {fasthttp.StatusBadRequest, "invalid_event", false},
	KindEmpty:                {fasthttp.StatusBadRequest, "empty", false},
	KindConflictingKeys:      {fasthttp.StatusBadRequest, "conflicting_keys", false},
	KindUnauthorized:         {fasthttp.StatusUnauthorized, "unauthorized", false},
	KindForbidden:            {fasthttp.StatusForbidden, "forbidden", false},
	KindNotFound:             {fasthttp.StatusNotFound, "not_found", false},
	KindMethodNotAllowed:     {fasthttp.StatusMethodNotAllowed, "method_not_allowed", false},
	KindTimeout:              {fasthttp.StatusRequestTimeout, "timeout", true},
	KindTooLarge:             {fasthttp.StatusRequestEntityTooLarge, "too_large", false},
	KindURITooLong:           {fasthttp.StatusRequestURITooLong, "too_large", false},
	KindHeadersTooLarge:      {fasthttp.StatusRequestHeaderFieldsTooLarge, "too_large", false},
	KindUnsupportedMediaType: {fasthttp.StatusUnsupportedMediaType, "unsupported_media_type", false},
	KindRateLimited:          {fasthttp.StatusTooManyRequests, "rate_limited", true},
	KindInternal:             {fasthttp.StatusInternalServerError, "internal", true},
	KindUnavailable:          {fasthttp.StatusServiceUnavailable, "unavailable", true},
}

// Kinds returns every kind.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(answers)-1)
	for k := range answers[1:] {
		kinds = append(kinds, Kind(k+1))
	}
	return kinds
}

// Code returns the kind's word in answers, metrics and logs; "" for 0.
func (k Kind) Code() string { return answers[k].Code }

// Status returns the HTTP status of the kind.
func (k Kind) Status() int { return answers[k].status }

// Retryable reports whether the client may send the same again.
func (k Kind) Retryable() bool { return answers[k].Retryable }

// Names, in a 413, of the limits.
const (
	LimitEventBytes  = "max_event_bytes"
	LimitBulkBytes   = "max_bulk_bytes"
	LimitHeaderBytes = "max_header_bytes"
	LimitRate        = "rate_limit"
	LimitTopicBatch  = "topic_batch_bytes" // the topic's max.message.bytes
)

// Problem is a refusal. Its text is one sentence. It never repeats the client's bytes, headers or key.
type Problem struct {
	Kind Kind
	// Text is one sentence.
	Text string
	// Field is the path of the field at fault, from a closed list, or empty.
	Field string
	// Limit is the name of the limit that was exceeded, or empty.
	Limit string
	// EventID is the event's id if it is known.
	EventID uuid.UUID
	// Allow is the Allow header of a 405.
	Allow string
	// RetryAfter is in seconds. 0: none.
	RetryAfter int
	// PassesAfter is after how many seconds events over the rate limit would pass. RetryAfter may be longer. 0: it is
	// not known.
	PassesAfter int
}

// Refuse makes a problem. text is one sentence that repeats nothing of the request.
func Refuse(k Kind, text string) *Problem { return &Problem{Kind: k, Text: text} }

// tooLarge refuses a thing that is larger than a limit of most units. what begins the sentence: "The body is larger
// than".
func tooLarge(what, limit string, most int64, unit string) *Problem {
	return OverLimit(KindTooLarge, what, limit, most, unit)
}

// OverLimit refuses a thing that is larger than a limit of most units, see tooLarge.
func OverLimit(k Kind, what, limit string, most int64, unit string) *Problem {
	p := Refuse(k, what+" the limit "+limit+", which is "+strconv.FormatInt(most, 10)+" "+unit+".")
	p.Limit = limit
	return p
}

// FromDecoder translates an error of the event package's decoders.
func FromDecoder(err error) *Problem {
	var refused *event.Error
	if errors.As(err, &refused) {
		return fromEvent(refused)
	}
	return Refuse(KindInternal, "The event could not be read.")
}

// fromEvent translates the event package's refusal.
func fromEvent(err *event.Error) *Problem {
	k := KindInvalidEvent
	switch err.Code {
	case event.CodeMalformed:
		k = KindMalformed
	case event.CodeEmpty:
		k = KindEmpty
	case event.CodeTooLarge:
		k = KindTooLarge
	case event.CodeInvalidEvent:
	}
	p := Refuse(k, err.Error())
	p.Field, p.Limit, p.EventID = err.Field, err.Limit, err.EventID
	return p
}

// ErrorBody is the JSON of a refusal.
type ErrorBody struct {
	Error     string `json:"error"`
	Code      string `json:"code"`
	Retryable bool   `json:"retryable"`
	RequestID string `json:"request_id,omitempty"`
	Field     string `json:"field,omitempty"`
	Index     *int   `json:"index,omitempty"`
	Limit     string `json:"limit,omitempty"`
	EventID   string `json:"event_id,omitempty"`
}

// Body returns the JSON of the refusal. requestID may be empty.
func (p *Problem) Body(requestID string) ErrorBody {
	row := answers[p.Kind]
	b := ErrorBody{
		Error: p.Text, Code: row.Code, Retryable: row.Retryable, RequestID: requestID, Field: p.Field, Limit: p.Limit,
	}
	if p.EventID != uuid.Nil {
		b.EventID = p.EventID.String()
	}
	return b
}

// Write answers a request with the refusal.
func (p *Problem) Write(ctx *fasthttp.RequestCtx) {
	p.WriteHead(ctx)
	WriteJSON(ctx, p.Body(string(ctx.Response.Header.Peek(HeaderRequestID))))
}

// WriteProblem refuses a request of our own protocol.
func WriteProblem(ctx *fasthttp.RequestCtx, p *Problem) { p.Write(ctx) }

// WriteHead sets the status and the headers that go with the refusal.
func (p *Problem) WriteHead(ctx *fasthttp.RequestCtx) {
	OutcomeOf(ctx).Kind = p.Kind
	h := &ctx.Response.Header
	ctx.SetStatusCode(answers[p.Kind].status)
	switch p.Kind {
	case KindUnauthorized:
		h.Set(fasthttp.HeaderWWWAuthenticate, "Bearer")
	case KindMethodNotAllowed:
		h.Set(fasthttp.HeaderAllow, p.Allow)
	case KindUnsupportedMediaType:
		h.Set(fasthttp.HeaderAcceptEncoding, body.AcceptedEncodings)
	default:
	}
	wait := p.RetryAfter
	if p.Kind == KindUnavailable {
		wait = unavailableRetryAfter() // made anew, because one problem may answer many requests at once
	}
	if wait > 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(wait))
	}
}

// Wait returns the Retry-After, in seconds, of the events that a client sends again.
func (p *Problem) Wait() int {
	if p.RetryAfter > 0 {
		return p.RetryAfter
	}
	return unavailableRetryAfter()
}

// unavailableRetryAfter spreads the clients of an outage over 1 to 5 seconds.
func unavailableRetryAfter() int { return 1 + rand.IntN(5) }

// WriteJSON makes v the body of the answer.
func WriteJSON(ctx *fasthttp.RequestCtx, v any) {
	text, err := json.Marshal(v)
	if err != nil { // impossible: the bodies are plain structs
		ctx.SetStatusCode(fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(text)
}

// Outcome is the part of a request's log line that its status does not tell. It is a user value of the request. A
// request that was kept whole has none, unless every request is logged.
type Outcome struct {
	Kind    Kind // 0: nothing was refused
	Project string
	Events  int // refused events of a bulk
}

type outcomeKey struct{}

// OutcomeIn returns the request's outcome, and false if it has none.
func OutcomeIn(ctx *fasthttp.RequestCtx) (Outcome, bool) {
	if o, _ := ctx.UserValue(outcomeKey{}).(*Outcome); o != nil {
		return *o, true
	}
	return Outcome{}, false
}

// OutcomeOf returns the request's outcome, and makes one if it has none.
func OutcomeOf(ctx *fasthttp.RequestCtx) *Outcome {
	o, _ := ctx.UserValue(outcomeKey{}).(*Outcome)
	if o == nil {
		o = &Outcome{}
		ctx.SetUserValue(outcomeKey{}, o)
	}
	return o
}
