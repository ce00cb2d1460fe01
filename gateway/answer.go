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

// kind is why a request, or one event of a bulk, was not kept. The set is closed: the table below answers each.
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

// answers is the one table from what went wrong to what the client sees.
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

// What a 413 calls the limits.
const (
	limitEventBytes  = "max_event_bytes"
	limitBulkBytes   = "max_bulk_bytes"
	limitHeaderBytes = "max_header_bytes"
	limitRate        = "rate_limit"
	limitTopicBatch  = "topic_batch_bytes" // the topic's max.message.bytes
)

// problem is a refusal. Its text is one sentence that never repeats the client's bytes, headers or key.
type problem struct {
	kind       kind
	text       string
	field      string
	limit      string
	eventID    uuid.UUID
	index      int // of the event in a bulk, or −1
	allow      string
	retryAfter int // seconds; 0: none
}

func refuse(k kind, text string) *problem { return &problem{kind: k, text: text, index: -1} }

// Error is part of error: problems travel through Fiber as errors.
func (p *problem) Error() string { return p.text }

// tooLarge refuses what is larger than a limit: most of a unit. The sentence goes on from what.
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
	if p.index >= 0 {
		b.Index = &p.index
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

// writeProblem is how our own protocol refuses a request.
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
		wait = unavailableRetryAfter() // not kept: one refusal may answer many requests at once
	}
	if wait > 0 {
		h.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(wait))
	}
}

// unavailableRetryAfter spreads the clients of an outage over 1 to 5 seconds.
func unavailableRetryAfter() int { return 1 + rand.IntN(5) }

func writeJSON(ctx *fasthttp.RequestCtx, v any) {
	text, err := json.Marshal(v)
	if err != nil { // only a programming error can get here: the bodies are plain structs
		ctx.SetStatusCode(fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(text)
}
