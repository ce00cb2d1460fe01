package event

import (
	"github.com/google/uuid"
	"sluice/internal/strictjson"
	"sluice/internal/swar"
)

// event reads the fields of the event itself. Names are compared after unescaping.
func (d *Decoder) event(ev *Event) {
	o := d.scan.Object(kindEvent)
	for d.scan.Member(&o) {
		switch o.Field {
		case fieldMessage:
			d.stringField("message", &ev.Message)
		case fieldLevel:
			d.level(ev)
		case fieldEventID:
			d.eventID(ev)
		case fieldTimestamp:
			d.timestamp(ev)
		case fieldFingerprint:
			d.fingerprint(ev)
		case fieldException:
			d.exception(ev)
		case fieldStacktrace:
			d.stacktrace(ev)
		case fieldTags:
			d.tags(ev)
		case fieldUser:
			d.user(userFields, &ev.UserID, &ev.UserEmail)
		case fieldUserContext:
			d.older.given = true
			d.user(userContextFields, &d.older.userID, &d.older.userEmail)
		case fieldSDK:
			d.sdk(ev)
		case fieldSDKName:
			d.older.given = true
			d.stringField("sdk_name", &d.older.sdkName)
		case fieldSDKVersion:
			d.older.given = true
			d.stringField("sdk_version", &d.older.sdkVersion)
		case fieldEnvironment:
			d.stringField("environment", &ev.Environment)
		case fieldRelease:
			d.stringField("release", &ev.Release)
		case fieldPlatform:
			d.stringField("platform", &ev.Platform)
		case fieldServerName:
			d.stringField("server_name", &ev.ServerName)
		case fieldTransaction:
			d.stringField("transaction", &ev.Transaction)
		case fieldTraceID:
			d.stringField("trace_id", &ev.TraceID)
		case fieldAtTimestamp, fieldLog, fieldMsg, fieldSeverity, fieldHost:
			d.shipperField(o.Field)
		default:
			d.scan.Value()
		}
	}
}

func fill(t *Text, with Text) {
	if t.IsZero() {
		*t = with
	}
}

// refuse records that a field is invalid. Decoding goes on, because malformed JSON outranks an invalid field and
// because the event_id may come later.
func (d *Decoder) refuse(field, reason string) {
	if d.refused == nil {
		d.refused = &Error{Code: CodeInvalidEvent, Field: field, Reason: reason}
	}
}

// wrongType moves over the value of a field. null counts as absence; any other value is refused.
func (d *Decoder) wrongType(field, want string) {
	isNull := d.scan.Peek() == 'n'
	d.scan.Value()
	if !isNull && d.refused == nil {
		d.refuse(field, field+" must be "+want+".")
	}
}

// stringField reads a string or null.
func (d *Decoder) stringField(field string, into *Text) {
	pos, data := d.scan.Pos, d.scan.Data
	if at := pos + 1; at+8 < len(data) && data[pos] == '"' { // the short cut for a string of up to eight bytes
		end := at + swar.FirstOf(swar.NotPlain(swar.Word(data[at:at+8:at+8])))
		if data[end] == '"' {
			*into = strictjson.Verbatim(data[at:end:end])
			d.scan.Pos = end + 1
			return
		}
	}
	if d.scan.Peek() != '"' {
		d.wrongType(field, "a string")
		return
	}
	*into = d.scan.Text()
}

func (d *Decoder) level(ev *Event) {
	var word Text
	d.stringField("level", &word)
	if !word.IsGiven() {
		return
	}
	var buf [longestLevel]byte
	if b, ok := word.Small(buf[:]); ok {
		if level, ok := parseLevel(b); ok {
			ev.Level = level
			return
		}
	}
	d.refuse("level", "level must be fatal, error, warning, info or debug.")
}

func (d *Decoder) eventID(ev *Event) {
	data, at := d.scan.Data, d.scan.Pos+1
	if end := at + dashedLen; end < len(data) && data[end] == '"' && data[at-1] == '"' { // the usual form
		if parseID(data[at:end:end], &ev.ID) && ev.ID != uuid.Nil {
			ev.HasID = true
			d.scan.Pos = end + 1
			return
		}
		ev.ID = uuid.Nil
	}
	var text Text
	d.stringField("event_id", &text)
	if !text.IsGiven() {
		return
	}
	var buf [dashedLen]byte
	if b, ok := text.Small(buf[:]); ok {
		if parseID(b, &ev.ID) && ev.ID != uuid.Nil {
			ev.HasID = true
			return
		}
		ev.ID = uuid.Nil
	}
	d.refuse("event_id", "event_id must be a UUID, with or without dashes, and not the nil UUID.")
}

func (d *Decoder) timestamp(ev *Event) {
	switch c := d.scan.Peek(); {
	case c == '"' || c == '-' || isDigit(c):
		ev.Timestamp = readTime(&d.scan)
	default:
		d.wrongType("timestamp", "a string or a number")
	}
}

// readTime reads the string or number at the current position as a timestamp.
func readTime(s *strictjson.Scanner) Timestamp {
	if s.Peek() != '"' {
		return parseUnix(s.Raw())
	}
	text := s.Text()
	var buf [longestTime]byte
	if b, ok := text.Small(buf[:]); ok {
		return ParseTimestamp(b)
	}
	return Timestamp{state: notUnderstood}
}
