package event

import (
	"sluice/internal/strictjson"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Event is a decoded event. Its texts alias the decoded bytes, so an Event is valid as long as these bytes do not
// change. Absent texts are empty.
type Event struct {
	ID    uuid.UUID
	HasID bool // the client gave an event_id, and it is ID
	Level Level
	// Message is the message as given. It may be absent or blank; AppendMessage then takes the exception instead.
	Message     Text
	Timestamp   Timestamp
	Fingerprint []Text // the client's own parts, at most MaxFingerprintParts
	Exception   Exception
	Frames      []Frame // at most MaxFrames
	Tags        []Tag   // at most MaxTags; of several pairs with the same key, the first

	// UserID is the text of user.id, or its JSON text if it is a number.
	UserID    Text
	UserEmail Text

	SDK SDK

	Environment Text
	Release     Text
	Platform    Text
	ServerName  Text
	Transaction Text
	TraceID     Text

	Extras

	repairs []int // offsets of the lone surrogate escapes in the decoded bytes
}

// SDK is the library that sent an event.
type SDK struct{ Name, Version Text }

// Extras are what only events of other formats than our own have.
type Extras struct {
	// IDSource is the name that an item gives itself in place of a UUID. The id is made of it.
	IDSource Text
	// ExpandsDefault says that {{ default }} in the fingerprint stands for the fingerprint of an event without one.
	ExpandsDefault bool

	composed []byte // texts that Compose made
}

// Exception is the error that an event reports.
type Exception struct{ Type, Value, Module Text }

// Frame is one call of a stack trace.
type Frame struct {
	Filename, Function Text
	InApp              bool // the code is the application's, not a library's
}

// Tag is one tag. Value is the content of a string, or the JSON text of any other value.
type Tag struct{ Key, Value Text }

func (ev *Event) reset() {
	fingerprint, frames := emptied(ev.Fingerprint), emptied(ev.Frames)
	tags, repairs, composed := emptied(ev.Tags), emptied(ev.repairs), emptied(ev.composed)
	*ev = Event{} // clears in place; a literal with fields would be built elsewhere and copied
	ev.Fingerprint, ev.Frames, ev.Tags = fingerprint, frames, tags
	ev.repairs, ev.composed = repairs, composed
}

// AppendMessage appends the content of the message column: the first MaxMessageBytes of the message or, if the
// message is blank, of the exception's "type: value". An exception with only a type or only a value gives that alone.
func (ev *Event) AppendMessage(dst []byte) []byte {
	start := len(dst)
	return cut(ev.appendWholeMessage(dst), start, MaxMessageBytes)
}

// PlainMessage returns what AppendMessage appends, without a copy. It returns false, which is rare, if the message
// column differs from the event's bytes.
func (ev *Event) PlainMessage() ([]byte, bool) {
	text, ok := ev.Message.Verbatim()
	return text, ok && len(text) <= MaxMessageBytes && !ev.Message.IsBlank()
}

// MessageText returns what AppendMessage appends, as a string.
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

// AppendPayload appends the event's JSON. raw must be the decoded bytes; they are appended unchanged, except that
// each lone surrogate escape becomes \ufffd. The length stays the same.
func (ev *Event) AppendPayload(dst, raw []byte) []byte {
	start := len(dst)
	dst = append(dst, raw...)
	for _, at := range ev.repairs {
		copy(dst[start+at:], strictjson.Replacement)
	}
	return dst
}

// cut shortens dst[start:] to at most the given number of bytes. It cuts between characters.
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
