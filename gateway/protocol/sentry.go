package protocol

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"strconv"
	"sync"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/idset"
	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/strictjson"
)

// Sentry is the name of the protocol of Sentry's clients in metrics and outcomes.
const Sentry = "sentry"

// SentryEnvelope is POST /api/{n}/envelope/: events, transactions, feedback, logs and spans, among things that are not
// kept. The clients never send again what is refused. So a part that is not understood costs the others nothing, and
// a request waits longer for Kafka than others do.
var SentryEnvelope = &ingest.Protocol{
	Name: Sentry, Format: format.Sentry, Bulk: true, DerivesIDs: true, Patient: true, Ignores: sentryIgnored,
	Key: ingest.FindKey, Split: splitEnvelope, Answer: answerSentry, Refuse: refuseSentry,
}

// SentryStore is POST /api/{n}/store/ of older clients: one event.
var SentryStore = &ingest.Protocol{
	Name: Sentry, Format: format.Sentry, Bulk: true, DerivesIDs: true, Patient: true,
	Key: ingest.FindKey, Split: splitStore, Answer: answerSentry, Refuse: refuseSentry,
}

// sentrySplitters hold the memory that an envelope needs only while it is split.
var sentrySplitters = sync.Pool{New: func() any {
	sp := &sentrySplitter{decoder: event.Decoder{Formats: format.All()}}
	sp.reader.init()
	sp.report.Fields = reportFields
	return sp
}}

// sentrySplitter splits one body.
type sentrySplitter struct {
	submission *ingest.Submission
	decoder    event.Decoder
	event      event.Event
	reader     envelopeReader
	entries    strictjson.Scanner // finds the entries of an item
	report     strictjson.Scanner // reads client reports
	seen       idset.Set

	own uuid.UUID // the id in the envelope's header; nil: none, or an event has it already
}

// beginSentry takes a splitter from the pool for a request whose body is not in any encoding any more.
func beginSentry(s *ingest.Submission) (*sentrySplitter, *ingest.Problem) {
	if p := unwrapSentry(s); p != nil {
		return nil, p
	}
	sp := sentrySplitters.Get().(*sentrySplitter)
	sp.submission, sp.own = s, uuid.Nil
	sp.decoder.MaxBytes = s.MaxEventBytes()
	sp.seen.Reset()
	return sp, nil
}

func (sp *sentrySplitter) end() {
	sp.submission = nil
	sp.reader.release()
	sp.entries.Release()
	sp.report.Release()
	sentrySplitters.Put(sp)
}

// splitStore validates the body as one event.
func splitStore(s *ingest.Submission) *ingest.Problem {
	sp, p := beginSentry(s)
	if p != nil {
		return p
	}
	defer sp.end()
	sp.accept(s.Body(), uuid.Nil)
	return s.Items()[0].Problem
}

// accept adds one event, valid or not. own is the id that it takes if it has none, or nil.
func (sp *sentrySplitter) accept(raw []byte, own uuid.UUID) {
	s, index := sp.submission, len(sp.submission.Items())
	if index >= event.MaxBulkEvents {
		sp.reject(errTooManyEvents)
		return
	}
	raw = bytes.Trim(raw, " \t\r\n") // a length may count a line break at the end or not: the id must not depend on it
	if err := sp.decoder.DecodeAs(format.Sentry, raw, &sp.event); err != nil {
		sp.reject(ingest.FromDecoder(err))
		return
	}
	id := own
	if sp.event.HasID || own == uuid.Nil {
		id = s.EventID(&sp.event, raw, index)
	}
	if id == sp.own {
		sp.own = uuid.Nil
	}
	if sp.seen.Add(id) {
		s.Accept(raw, id)
	} else {
		s.Repeat(id)
	}
}

// reject adds one refused event.
func (sp *sentrySplitter) reject(p *ingest.Problem) {
	if len(sp.submission.Items()) < event.MaxBulkEvents {
		sp.submission.Reject(p)
	} else {
		sp.submission.RejectRest(errTooManyEvents)
	}
}

// unwrapSentry undoes the encodings that old clients announce in no header: gzip or zlib, in base64 or not.
func unwrapSentry(s *ingest.Submission) *ingest.Problem {
	if len(s.Body()) > 0 && isBase64(s.Body()[0]) && compression(s.Body()) == "" {
		if p := s.Decompress("base64"); p != nil {
			return p
		}
	}
	if coding := compression(s.Body()); coding != "" {
		return s.Decompress(coding)
	}
	return nil
}

// isBase64 reports whether base64 may begin with a byte. JSON, gzip and an empty line do not.
func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}

// compression returns the encoding that the first bytes show, or "". A letter x alone, which is in base64 too, does not
// show zlib: the second byte makes a multiple of 31 of the two.
func compression(b []byte) string {
	switch {
	case len(b) < 2:
		return ""
	case b[0] == 0x1f && b[1] == 0x8b:
		return "gzip"
	case b[0] == 0x78 && (0x7800+int(b[1]))%31 == 0 && !isBase64(b[1]):
		return "deflate"
	}
	return ""
}

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
