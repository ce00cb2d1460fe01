package event

import (
	"sluice/internal/strictjson"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Event is what Decode found. Its texts alias the decoded bytes; whoever keeps the Event keeps the bytes unchanged.
// Absent texts are empty.
type Event struct {
	ID    uuid.UUID
	HasID bool // the client gave an event_id, and it is ID
	Level Level
	// Message is the message as given, perhaps absent or blank: AppendMessage gives what the event says.
	Message     Text
	Timestamp   Timestamp
	Fingerprint []Text // the parts the client gave, at most MaxFingerprintParts
	Exception   Exception
	Frames      []Frame // at most MaxFrames
	Tags        []Tag   // at most MaxTags; of pairs with the same key the first

	// UserID is the text of user.id, or its JSON text if it is a number.
	UserID    Text
	UserEmail Text

	SDKName    Text
	SDKVersion Text

	Environment Text
	Release     Text
	Platform    Text
	ServerName  Text
	Transaction Text
	TraceID     Text

	repairs []int // offsets of the lone surrogate escapes in the decoded bytes
}

// Exception is the error an event reports.
type Exception struct{ Type, Value, Module Text }

// Frame is one call of a stack trace.
type Frame struct {
	Filename, Function Text
	InApp              bool // the application's own code, as opposed to a library's
}

// Tag is one tag. Value is a string's content, and the JSON text of any other value.
type Tag struct{ Key, Value Text }

func (ev *Event) reset() {
	fingerprint, frames, tags, repairs := emptied(ev.Fingerprint), emptied(ev.Frames), emptied(ev.Tags), emptied(ev.repairs)
	*ev = Event{} // with fields it would be made elsewhere and copied here
	ev.Fingerprint, ev.Frames, ev.Tags, ev.repairs = fingerprint, frames, tags, repairs
}

// AppendMessage appends what the message column holds: the first MaxMessageBytes of the message, or of the
// exception's "type: value" (or the one of the two there is) if the message is blank.
func (ev *Event) AppendMessage(dst []byte) []byte {
	start := len(dst)
	return cut(ev.appendWholeMessage(dst), start, MaxMessageBytes)
}

// PlainMessage is what AppendMessage appends, aliasing the event's bytes, or false if it is not there as it is, which is rare.
func (ev *Event) PlainMessage() ([]byte, bool) {
	text, ok := ev.Message.Verbatim()
	return text, ok && len(text) <= MaxMessageBytes && !ev.Message.IsBlank()
}

// MessageText is AppendMessage as a string of its own.
func (ev *Event) MessageText() string { return string(ev.AppendMessage(nil)) }

func (ev *Event) appendWholeMessage(dst []byte) []byte {
	if !ev.Message.IsBlank() {
		return ev.Message.AppendTo(dst)
	}
	typ, value := ev.Exception.Type, ev.Exception.Value
	dst = typ.AppendTo(dst)
	if !typ.IsZero() && !value.IsZero() {
		dst = append(dst, ": "...)
	}
	return value.AppendTo(dst)
}

// NeedsRepair reports whether the payload differs from the decoded bytes.
func (ev *Event) NeedsRepair() bool { return len(ev.repairs) > 0 }

// AppendPayload appends the event's JSON: raw, which must be the decoded bytes, byte for byte, but for lone surrogate
// escapes, which become \ufffd. The length does not change.
func (ev *Event) AppendPayload(dst, raw []byte) []byte {
	start := len(dst)
	dst = append(dst, raw...)
	for _, at := range ev.repairs {
		copy(dst[start+at:], strictjson.Replacement)
	}
	return dst
}

// cut shortens what was appended to dst behind start to at most the given number of bytes, at the end of a character.
func cut(dst []byte, start, most int) []byte {
	if len(dst)-start <= most {
		return dst
	}
	end := start + most
	for end > start && !utf8.RuneStart(dst[end]) {
		end--
	}
	return dst[:end]
}

// Text is a string of an event. It aliases the event's bytes and is unescaped only when it is read.
type Text = strictjson.Text
