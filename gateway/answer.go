package gateway

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

const headerRequestID = "X-Request-Id"

// kind is the reason for which a request, or one event of a bulk, was not kept. The table answers has an answer for
// each.
type kind int

const (
	kindMalformed kind = iota + 1
	kindInvalidEvent
	kindEmpty
	kindConflictingKeys
	kindUnauthorized
	kindForbidden
	kindNotFound
	kindMethodNotAllowed
	kindTimeout
	kindTooLarge
	kindURITooLong
	kindHeadersTooLarge
	kindUnsupportedMediaType
	kindRateLimited
	kindInternal
	kindUnavailable
)

// answers maps each kind to what the client sees.
var answers = [...]struct {
	status    int
	code      string
	retryable bool
}{
	kindMalformed:            {fasthttp.StatusBadRequest, "malformed", false},
	kindInvalidEvent:         {fasthttp.StatusBadRequest, "invalid_event", false},
	kindEmpty:                {fasthttp.StatusBadRequest, "empty", false},
	kindConflictingKeys:      {fasthttp.StatusBadRequest, "conflicting_keys", false},
	kindUnauthorized:         {fasthttp.StatusUnauthorized, "unauthorized", false},
	kindForbidden:            {fasthttp.StatusForbidden, "forbidden", false},
	kindNotFound:             {fasthttp.StatusNotFound, "not_found", false},
	kindMethodNotAllowed:     {fasthttp.StatusMethodNotAllowed, "method_not_allowed", false},
	kindTimeout:              {fasthttp.StatusRequestTimeout, "timeout", true},
	kindTooLarge:             {fasthttp.StatusRequestEntityTooLarge, "too_large", false},
	kindURITooLong:           {fasthttp.StatusRequestURITooLong, "too_large", false},
	kindHeadersTooLarge:      {fasthttp.StatusRequestHeaderFieldsTooLarge, "too_large", false},
	kindUnsupportedMediaType: {fasthttp.StatusUnsupportedMediaType, "unsupported_media_type", false},
	kindRateLimited:          {fasthttp.StatusTooManyRequests, "rate_limited", true},
	kindInternal:             {fasthttp.StatusInternalServerError, "internal", true},
	kindUnavailable:          {fasthttp.StatusServiceUnavailable, "unavailable", true},
}

// Names, in a 413, of the limits.
const (
	limitEventBytes  = "max_event_bytes"
	limitBulkBytes   = "max_bulk_bytes"
	limitHeaderBytes = "max_header_bytes"
	limitRate        = "rate_limit"
	limitTopicBatch  = "topic_batch_bytes" // the topic's max.message.bytes
)

// problem is a refusal. Its text is one sentence. It never repeats the client's bytes, headers or key.
type problem struct {
	kind       kind
	text       string
	field      string
	limit      string
	eventID    uuid.UUID
	allow      string
	retryAfter int // seconds; 0: none
}

func refuse(k kind, text string) *problem { return &problem{kind: k, text: text} }

// tooLarge refuses a thing that is larger than a limit of most units. what begins the sentence: "The body is larger
// than".
func tooLarge(what, limit string, most int64, unit string) *problem {
	return overLimit(kindTooLarge, what, limit, most, unit)
}

func overLimit(k kind, what, limit string, most int64, unit string) *problem {
	p := refuse(k, what+" the limit "+limit+", which is "+strconv.FormatInt(most, 10)+" "+unit+".")
	p.limit = limit
	return p
}

// fromDecoder translates an error of the event package's decoders.
func fromDecoder(err error) *problem {
	var refused *event.Error
	if errors.As(err, &refused) {
		return fromEvent(refused)
	}
	return refuse(kindInternal, "The event could not be read.")
}

// fromEvent translates the event package's refusal.
func fromEvent(err *event.Error) *problem {
	k := kindInvalidEvent
	switch err.Code {
	case event.CodeMalformed:
		k = kindMalformed
	case event.CodeEmpty:
		k = kindEmpty
	case event.CodeTooLarge:
		k = kindTooLarge
	case event.CodeInvalidEvent:
	}
	p := refuse(k, err.Error())
	p.field, p.limit, p.eventID = err.Field, err.Limit, err.EventID
	return p
}

// errorBody is the JSON of a refusal.
type errorBody struct {
	Error     string `json:"error"`
	Code      string `json:"code"`
	Retryable bool   `json:"retryable"`
	RequestID string `json:"request_id,omitempty"`
	Field     string `json:"field,omitempty"`
	Index     *int   `json:"index,omitempty"`
	Limit     string `json:"limit,omitempty"`
	EventID   string `json:"event_id,omitempty"`
}

func (p *problem) body(requestID string) errorBody {
	row := answers[p.kind]
	b := errorBody{
		Error: p.text, Code: row.code, Retryable: row.retryable, RequestID: requestID, Field: p.field, Limit: p.limit,
	}
	if p.eventID != uuid.Nil {
		b.EventID = p.eventID.String()
	}
	return b
}

// write answers a request with the refusal.
func (p *problem) write(ctx *fasthttp.RequestCtx) {
	p.writeHead(ctx)
	writeJSON(ctx, p.body(string(ctx.Response.Header.Peek(headerRequestID))))
}

// writeProblem refuses a request of our own protocol.
func writeProblem(ctx *fasthttp.RequestCtx, p *problem) { p.write(ctx) }

// writeHead sets the status and the headers that go with the refusal.
func (p *problem) writeHead(ctx *fasthttp.RequestCtx) {
	outcomeOf(ctx).kind = p.kind
	h := &ctx.Response.Header
	ctx.SetStatusCode(answers[p.kind].status)
	switch p.kind {
	case kindUnauthorized:
		h.Set(fasthttp.HeaderWWWAuthenticate, "Bearer")
	case kindMethodNotAllowed:
		h.Set(fasthttp.HeaderAllow, p.allow)
	case kindUnsupportedMediaType:
		h.Set(fasthttp.HeaderAcceptEncoding, body.AcceptedEncodings)
	default:
	}
	wait := p.retryAfter
	if p.kind == kindUnavailable {
		wait = unavailableRetryAfter() // made anew, because one problem may answer many requests at once
	}
	if wait > 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(wait))
	}
}

// unavailableRetryAfter spreads the clients of an outage over 1 to 5 seconds.
func unavailableRetryAfter() int { return 1 + rand.IntN(5) }

func writeJSON(ctx *fasthttp.RequestCtx, v any) {
	text, err := json.Marshal(v)
	if err != nil { // impossible: the bodies are plain structs
		ctx.SetStatusCode(fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(text)
}

// outcome is the part of a request's log line that its status does not tell. It is a user value of the request. A
// request that was kept whole has none, unless every request is logged.
type outcome struct {
	kind    kind // 0: nothing was refused
	project string
	events  int // refused events of a bulk
}

type outcomeKey struct{}

// outcomeOf returns the request's outcome, and makes one if it has none.
func outcomeOf(ctx *fasthttp.RequestCtx) *outcome {
	o, _ := ctx.UserValue(outcomeKey{}).(*outcome)
	if o == nil {
		o = &outcome{}
		ctx.SetUserValue(outcomeKey{}, o)
	}
	return o
}
