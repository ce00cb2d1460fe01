package protocol

import (
	"bytes"
	"sync"

	"github.com/google/uuid"

	"sluice/gateway/idset"
	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/format"
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

// itemMalformed is the name, among those of ignored items, of what stands where an item should be.
const itemMalformed = "malformed"

// sentryIgnored are the items that are acknowledged and not kept.
var sentryIgnored = []string{
	"session", "sessions", "client_report", "check_in", "attachment", "trace_metric", "metric", "statsd",
	"metric_buckets", "replay_event", "replay_recording", "replay_video", "profile", "profile_chunk", "user_report",
	"raw_security", "otel_log", itemMalformed,
}

// sentrySplitters hold the memory that a request needs only while it is split.
var sentrySplitters = sync.Pool{New: func() any {
	sp := &sentrySplitter{decoder: event.Decoder{Formats: format.All()}}
	sp.envelope.init()
	return sp
}}

// sentrySplitter splits one body into events.
type sentrySplitter struct {
	submission *ingest.Submission
	envelope   envelopeSplitter
	decoder    event.Decoder
	decoded    event.Event
	seen       idset.Set
	own        uuid.UUID // the id in the envelope's header; nil: none, or an event has it already
}

// beginSentry takes a splitter from the pool.
func beginSentry(s *ingest.Submission) *sentrySplitter {
	sp := sentrySplitters.Get().(*sentrySplitter)
	sp.submission, sp.own = s, uuid.Nil
	sp.decoder.MaxBytes = s.MaxEventBytes()
	sp.seen.Reset()
	return sp
}

func (sp *sentrySplitter) end() {
	sp.submission = nil
	sp.envelope.release()
	sentrySplitters.Put(sp)
}

// splitStore validates the body as one event.
func splitStore(s *ingest.Submission) *ingest.Problem {
	if p := unwrapSentry(s); p != nil {
		return p
	}
	sp := beginSentry(s)
	defer sp.end()
	sp.event(s.Body(), false)
	return s.Items()[0].Problem
}

// splitEnvelope validates every event of an envelope.
func splitEnvelope(s *ingest.Submission) *ingest.Problem {
	if p := unwrapSentry(s); p != nil {
		return p
	}
	if len(s.Body()) == 0 {
		return errNoEnvelope
	}
	sp := beginSentry(s)
	defer sp.end()
	header, ok := sp.envelope.reader.begin(s.Body())
	if id, is := uuidOf(header.eventID); is {
		s.OwnID, sp.own = id, id
	}
	s.SentAt(header.sentAt)
	sp.envelope.to = sp
	if sp.envelope.split() == 0 && !ok {
		return errEnvelopeHeader
	}
	return nil
}

var (
	errNoEnvelope     = ingest.Refuse(ingest.KindEmpty, "There is no envelope.")
	errEnvelopeHeader = ingest.Refuse(ingest.KindMalformed, "The first line of an envelope must be a JSON object.")
	errCutList        = ingest.Refuse(ingest.KindMalformed, "The list of an item's entries is malformed.")
	errTooManyEvents  = ingest.OverLimit(ingest.KindTooLarge, "The envelope has more events than",
		event.LimitBulkEvents, event.MaxBulkEvents, "events")
)

// event is part of envelopeParts. It adds one event, valid or not.
func (sp *sentrySplitter) event(raw []byte, named bool) {
	s, index := sp.submission, len(sp.submission.Items())
	if index >= event.MaxBulkEvents {
		sp.reject(errTooManyEvents)
		return
	}
	raw = bytes.Trim(raw, " \t\r\n") // a length may count a line break at the end or not: the id must not depend on it
	ev := &sp.decoded
	if err := sp.decoder.DecodeAs(format.Sentry, raw, ev); err != nil {
		sp.reject(ingest.FromDecoder(err))
		return
	}
	id := sp.own
	if !named || ev.HasID || sp.own == uuid.Nil {
		id = s.EventID(ev, raw, index)
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

// reject adds one refused event. An event beyond the limit is counted and gets no item: an envelope may have millions.
func (sp *sentrySplitter) reject(p *ingest.Problem) {
	if len(sp.submission.Items()) < event.MaxBulkEvents {
		sp.submission.Reject(p)
	} else {
		sp.submission.CountRefused(errTooManyEvents)
	}
}

// cut is part of envelopeParts.
func (sp *sentrySplitter) cut() { sp.reject(errCutList) }

// ignore is part of envelopeParts.
func (sp *sentrySplitter) ignore(item string) {
	if item == "" {
		item = itemMalformed
	}
	sp.submission.Ignore(item, 1)
}

// discard is part of envelopeParts.
func (sp *sentrySplitter) discard(category, reason string, n int) {
	sp.submission.NoteDiscarded(category, reason, n)
}

// uuidOf reads a UUID, with or without dashes, that is not nil.
func uuidOf(text event.Text) (uuid.UUID, bool) {
	var ev event.Event
	ok := ev.SetID(text)
	return ev.ID, ok
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
