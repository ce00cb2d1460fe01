package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// Sentry is the name of the format of Sentry's items: events, transactions, feedback, and single logs and spans.
//
// The item's own members tell which one it is, because a record holds the item and not the header in front of it:
//
//	transaction    type is transaction
//	feedback       contexts has feedback
//	log            body, and no contexts
//	span           span_id, and no contexts
//	event          anything else
const Sentry = "sentry"

// sentryReader reads one item after the other. It keeps the memory of the frames.
type sentryReader struct {
	sentryItem
	frames  []event.Frame // of the exception at hand
	threads []event.Frame // of the thread that counts, in case the exception has none
}

// sentryItem holds what decides about columns only when the whole item is read.
type sentryItem struct {
	sentryMessages
	typ, level, severity event.Text // severity is a log's level as a number
	spanID               event.Text
	traceID              event.Text // of a log or span; an event has it in its contexts
	start, end           event.Timestamp
	attributes           sentryAttributes
	hasContexts          bool
	threadRank           int
}

// sentryMessages are the texts that may become the message.
type sentryMessages struct {
	formatted, template       event.Text // of logentry
	formattedMessage, message event.Text // of message, an older name
	body                      event.Text // of a log
	description, op, name     event.Text // of a span
	feedback, feedbackEmail   event.Text
	isFeedback                bool
}

func newSentry() event.Reader { return &sentryReader{} }

// Fields is part of event.Reader.
func (*sentryReader) Fields(kind strictjson.Kind, name []byte) strictjson.Field {
	return sentryField(kind, name)
}

// Read is part of event.Reader. Every JSON object is an item.
func (r *sentryReader) Read(s *strictjson.Scanner, ev *event.Event) *event.Error {
	r.sentryItem = sentryItem{}
	r.threads = r.threads[:0]
	for o := s.Object(sentryKindItem); s.Member(&o); {
		if !r.text(o.Field, s, ev) && !r.part(o.Field, s, ev) {
			s.Value()
		}
	}
	r.complete(ev)
	return nil
}

// text reads a member that is a single value, and reports whether the field is one.
func (r *sentryReader) text(field strictjson.Field, s *strictjson.Scanner, ev *event.Event) bool {
	into := r.textOf(field, ev)
	if into == nil {
		return false
	}
	*into = s.Scalar()
	return true
}

func (r *sentryReader) textOf(field strictjson.Field, ev *event.Event) *event.Text {
	switch field {
	case sentryType:
		return &r.typ
	case sentryLevel:
		return &r.level
	case sentryPlatform:
		return &ev.Platform
	case sentryRelease:
		return &ev.Release
	case sentryEnvironment:
		return &ev.Environment
	case sentryServerName:
		return &ev.ServerName
	case sentryTransaction:
		return &ev.Transaction
	case sentryTraceID:
		return &r.traceID
	case sentrySpanID:
		return &r.spanID
	case sentryName:
		return &r.name
	case sentryOp:
		return &r.op
	case sentryDescription:
		return &r.description
	case sentrySeverity:
		return &r.severity
	}
	return nil
}

// part reads a member with a structure of its own, and reports whether the field is one.
func (r *sentryReader) part(field strictjson.Field, s *strictjson.Scanner, ev *event.Event) bool {
	switch field {
	case sentryEventID:
		ev.SetID(s.Scalar())
	case sentryTimestamp:
		ev.Timestamp = event.ReadTime(s)
	case sentryStart:
		r.start = event.ReadTime(s)
	case sentryEnd:
		r.end = event.ReadTime(s)
	case sentryBody:
		r.body = s.Any()
	case sentryLogentry:
		readSentryMessage(s, &r.formatted, &r.template)
	case sentryMessage:
		readSentryMessage(s, &r.formattedMessage, &r.message)
	case sentryFingerprint:
		readSentryFingerprint(s, ev)
	case sentryException:
		r.exceptions(s, ev)
	case sentryThreads:
		r.readThreads(s)
	case sentryStacktrace:
		r.ownStacktrace(s)
	case sentryUser:
		readSentryUser(s, ev)
	case sentrySDK:
		readSentrySDK(s, ev)
	case sentryTags:
		readSentryTags(s, ev)
	case sentryContexts:
		r.contexts(s, ev)
	case sentryAttributesOf:
		r.attributes.read(s, ev)
	default:
		return false
	}
	return true
}

// complete fills the columns that depend on several members.
func (r *sentryReader) complete(ev *event.Event) {
	ev.ExpandsDefault = true
	r.attributes.fill(ev)
	fill(&ev.TraceID, r.traceID)
	fill(&ev.UserEmail, r.feedbackEmail)
	if len(ev.Frames) == 0 {
		ev.Frames = append(ev.Frames, r.threads...)
	}
	for _, t := range [...]event.Timestamp{r.end, r.start} {
		if !ev.Timestamp.Present() {
			ev.Timestamp = t
		}
	}
	ev.Message = firstText(r.formatted, r.template, r.formattedMessage, r.message)
	usual := event.LevelInfo
	switch {
	case isText(r.typ, "transaction"):
		fill(&ev.Message, ev.Transaction)
	case r.isFeedback:
		ev.Message = firstText(r.feedback, ev.Message)
	case r.body.IsGiven() && !r.hasContexts:
		ev.Message = firstText(r.body, ev.Message)
		usual = severityLevel(r.severity)
	case r.spanID.IsGiven() && !r.hasContexts:
		ev.Message = firstText(r.description, r.op, r.name, ev.Message)
	default:
		usual = event.LevelError
	}
	ev.Level = sentryLevelOf(r.level, usual)
}

// sentryLevelOf reads a level: a word, or a number as Python's logging has it.
func sentryLevelOf(text event.Text, usual event.Level) event.Level {
	if level, known := event.ParseLevel(text); known {
		return level
	}
	switch {
	case isText(text, "10"):
		return event.LevelDebug
	case isText(text, "20"):
		return event.LevelInfo
	case isText(text, "30"):
		return event.LevelWarning
	case isText(text, "40"):
		return event.LevelError
	case isText(text, "50"):
		return event.LevelFatal
	}
	return usual
}

// severityLevel is the level of OpenTelemetry's severity number: 1 to 8 debug, 9 info, 13 warning, 17 error, 21 fatal,
// each up to the next.
func severityLevel(text event.Text) event.Level {
	number, _ := text.Verbatim()
	n := 0
	for _, c := range number {
		if c < '0' || c > '9' || n > 24 {
			return event.LevelInfo
		}
		n = 10*n + int(c-'0')
	}
	switch {
	case n == 0 || n > 24:
		return event.LevelInfo
	case n <= 8:
		return event.LevelDebug
	case n <= 12:
		return event.LevelInfo
	case n <= 16:
		return event.LevelWarning
	case n <= 20:
		return event.LevelError
	}
	return event.LevelFatal
}

// firstText returns the first text that is not blank.
func firstText(texts ...event.Text) event.Text {
	for _, t := range texts {
		if !t.IsBlank() {
			return t
		}
	}
	return event.Text{}
}

// isText reports whether a text that needs no unescaping is the word.
func isText(t event.Text, word string) bool {
	verbatim, ok := t.Verbatim()
	return ok && string(verbatim) == word
}

// fill sets a text that is absent.
func fill(t *event.Text, with event.Text) {
	if t.IsZero() {
		*t = with
	}
}
