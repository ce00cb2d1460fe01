package event

import (
	"strconv"
	"time"

	"sluice/internal/strictjson"
)

// Formats are the formats of other protocols' items, by name. Each function returns a Reader for one Decoder.
type Formats map[string]func() Reader

// Reader reads the items of one format, each of which is a JSON object. It belongs to one Decoder and may keep memory
// from one item to the next.
type Reader interface {
	// Fields returns the field that a member of an object is, see strictjson.Scanner.
	Fields(kind strictjson.Kind, name []byte) strictjson.Field
	// Read moves over the object at the scanner's position and fills ev, which is empty. The texts of ev alias the
	// scanner's data, or are made by ev.Compose. Read takes whatever makes sense and passes over the rest: clients of
	// other protocols drop what is refused. It returns an error only for an item of which no event can be made. An
	// item that is not strict JSON is refused by the caller. A level of 0 becomes info.
	Read(s *strictjson.Scanner, ev *Event) *Error
}

// other is what a Decoder keeps for another format.
type other struct {
	reader Reader
	scan   strictjson.Scanner
}

// DecodeAs decodes one item of a format as Decode decodes an event. The format "" is our own; another one must be in
// d.Formats. DecodeAs returns nil or an *Error.
func (d *Decoder) DecodeAs(format string, raw []byte, ev *Event) error {
	if e := d.decodeAs(format, raw, ev); e != nil {
		return e
	}
	return nil
}

func (d *Decoder) decodeAs(format string, raw []byte, ev *Event) *Error {
	if format == "" {
		return d.decode(raw, ev)
	}
	o := d.others[format]
	if o == nil {
		o = &other{reader: d.Formats[format]()}
		o.scan.Fields = o.reader.Fields
		if d.others == nil {
			d.others = map[string]*other{}
		}
		d.others[format] = o
	}
	ev.reset()
	if err := d.checkSize(len(raw)); err != nil {
		return err
	}
	s := &o.scan
	s.Reset(raw, ev.repairs)
	var refused *Error
	switch s.Peek() {
	case 0:
		if s.Pos == len(raw) {
			return &Error{Code: CodeEmpty, Reason: "There is no event."}
		}
		s.Fail(strictjson.FaultValue)
	case '{':
		refused = o.reader.Read(s, ev)
	default:
		s.Value()
		refused = &Error{Code: CodeInvalidEvent, Reason: "An item must be a JSON object."}
	}
	s.End()
	ev.repairs = s.Repairs
	if s.Fault != "" {
		refused = malformed(s.Fault, s.FaultAt)
	}
	s.Data, s.Repairs = nil, nil
	if ev.Level == 0 {
		ev.Level = LevelInfo
	}
	if refused != nil {
		refused.EventID = ev.ID
	}
	return refused
}

// Compose makes a text of parts, joined by a separator. Empty parts are left out. The text is good until the event is
// decoded anew.
func (ev *Event) Compose(separator string, parts ...Text) Text {
	start := len(ev.composed)
	for _, part := range parts {
		if part.IsZero() {
			continue
		}
		if len(ev.composed) > start {
			ev.composed = append(ev.composed, separator...)
		}
		ev.composed = part.AppendTo(ev.composed)
	}
	return strictjson.Verbatim(ev.composed[start:len(ev.composed):len(ev.composed)])
}

// AddTag adds a tag, unless the key is empty or taken, or there are MaxTags already.
func (ev *Event) AddTag(key, value Text) {
	if len(ev.Tags) < MaxTags && !key.IsZero() && !hasTag(ev.Tags, key) {
		ev.Tags = append(ev.Tags, Tag{key, value})
	}
}

// SetID reads a UUID, with or without dashes, as the event's own id. It reports false, and changes nothing, if the text
// is none or is the nil UUID.
func (ev *Event) SetID(text Text) bool {
	var buf [dashedLen]byte
	b, ok := text.Small(buf[:])
	if !ok {
		return false
	}
	id := ev.ID
	if !parseID(b, &id) || id == [16]byte{} {
		return false
	}
	ev.ID, ev.HasID = id, true
	return true
}

// ReadTime moves over a value and returns it as a timestamp: a string or a number as Timestamp describes. null is
// absent, another value is not understood.
func ReadTime(s *strictjson.Scanner) Timestamp {
	switch c := s.Peek(); {
	case c == '"' || c == '-' || isDigit(c):
		return readTime(s)
	case c == 'n':
		s.Value()
		return Timestamp{}
	default:
		s.Value()
		return Timestamp{state: notUnderstood}
	}
}

// ParseNanos reads a decimal whole number of nanoseconds since 1970. Zero is absent.
func ParseNanos(b []byte) Timestamp {
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return Timestamp{state: notUnderstood}
	}
	if n == 0 {
		return Timestamp{}
	}
	return timestampOf(time.Unix(0, n).UnixMilli())
}
