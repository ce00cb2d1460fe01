package event

import (
	"bytes"
	"sluice/internal/strictjson"
)

// Form is how the body of a bulk is to be read.
type Form uint8

const (
	// FormJSON: an array of events, or an object with them under "events". Shippers also send objects one after the other
	// under the name of JSON, a line each or without anything between them: each is an event then.
	FormJSON Form = iota
	// FormNDJSON: an event a line.
	FormNDJSON
	// FormAuto: an array, one object with an array "events", or else events one after the other, a line each or not.
	FormAuto
)

// Bulk is what SplitBulk found. It is reused; the zero Bulk is ready. It is for one goroutine at a time.
type Bulk struct {
	// Items are the events in order, undecoded, without the white space around them. They alias the body.
	Items [][]byte
	// SentAt is the "sent_at" beside "events": when the client sent the bulk by its own clock.
	SentAt Timestamp

	scan strictjson.Scanner

	each    func(i int, raw []byte, ev *Event, err error) // nil: items are only collected
	count   int                                           // items that each was called with
	decoder Decoder
	event   Event
}

// SplitBulk finds the items of a bulk, not empty and at most MaxBulkEvents, in one pass. It returns nil or an *Error,
// and then there are no items.
//
// An item ends where its brackets and quotes end: what is between them is for Decode to judge, so that one bad event
// does not take the others with it. If brackets do not match, a comma is missing, or the array or the object around
// it breaks off, no item's end is certain and the bulk as a whole is malformed. The members beside "events" are
// checked as strictly as an event's and otherwise ignored.
//
// In FormJSON an object alone with neither "events" nor any member but "sent_at" is an empty bulk: it is what is left
// where empty fields are omitted. Any other object without an array "events" is an event, and so are those behind it.
//
// In NDJSON lines end with LF or CRLF, the last one perhaps not; blank lines do not count.
func SplitBulk(body []byte, form Form, into *Bulk) error {
	into.reset(body)
	err := into.split(body, form)
	into.release()
	if err == nil && len(into.Items) == 0 {
		err = errEmptyBulk()
	}
	if err != nil {
		into.Items = into.Items[:0]
		return err
	}
	return nil
}

func errEmptyBulk() *Error {
	return &Error{Code: CodeEmpty, Reason: "There are no events in the bulk."}
}

func (b *Bulk) reset(body []byte) {
	b.Items = b.Items[:0]
	b.SentAt = Timestamp{}
	b.scan.Fields = eventFields
	b.scan.Reset(body, emptied(b.scan.Repairs))
	b.count = 0
}

// release lets go of what is the caller's.
func (b *Bulk) release() {
	b.scan.Release()
	b.each = nil
}

func (b *Bulk) split(body []byte, form Form) *Error {
	first := b.scan.Peek()
	if first == 0 && b.scan.Pos == len(body) {
		return nil
	}
	switch {
	case form == FormNDJSON:
		return b.lines(body)
	case first == '[':
		return b.array()
	case first == '{':
		isBulk, err := b.object(form)
		if isBulk {
			return err
		}
		b.Items, b.SentAt = b.Items[:0], Timestamp{}
		return b.sequence(body)
	case form == FormAuto:
		return b.lines(body)
	}
	return &Error{Code: CodeMalformed, Reason: "A bulk must be an array of events, an object with events, or an event a line."}
}

// array reads a body that is an array of events.
func (b *Bulk) array() *Error {
	err := b.items()
	b.scan.End()
	return b.verdict(err)
}

// object reads a body that begins like an object and reports whether that is the bulk; if not, it is the first of its events.
func (b *Bulk) object(form Form) (isBulk bool, err *Error) {
	s := &b.scan
	start := s.Pos
	var has bulkMembers
	o := s.Object(kindBulk)
	for err == nil && s.Member(&o) {
		switch o.Field {
		case fieldEvents:
			switch s.Peek() {
			case '[':
				has.events = true
				has.eventsFirst = has.eventsFirst || !has.others
				err = b.items()
			case 'n':
				s.Value()
			default:
				has.foreignEvents = true
				s.Value()
			}
		case fieldSentAt:
			b.sentAt()
		default:
			has.others = true
			s.Value()
		}
	}
	if err == nil && !has.isBulk(form, s, start) {
		return false, nil
	}
	s.End()
	err = b.verdict(err)
	if err == nil && has.foreignEvents && !has.events {
		err = &Error{Code: CodeMalformed, Field: "events", Reason: "events must be an array of events."}
	}
	return true, err
}

// bulkMembers says which members an object has that may be a bulk.
type bulkMembers struct {
	events        bool // an array
	eventsFirst   bool // and nothing but sent_at before it
	foreignEvents bool // events of another type
	others        bool // besides events and sent_at
}

// isBulk reports whether the object that s has read from start on is the whole bulk and not the first of several events.
func (has bulkMembers) isBulk(form Form, s *strictjson.Scanner, start int) bool {
	if form == FormJSON && has.eventsFirst {
		return true // whatever follows
	}
	if s.Fault != "" {
		return has.events || form == FormJSON && !bytes.Contains(s.Data, []byte("\n{"))
	}
	rest := trimSpace(s.Data[s.Pos:])
	switch {
	case len(rest) > 0 && (rest[0] == '{' || isFirstLine(s.Data, start, s.Pos)):
		return false
	case len(rest) > 0:
		return has.events || form == FormJSON && !bytes.Contains(s.Data, []byte("\n{"))
	default:
		return has.events || form == FormJSON && !has.others
	}
}

// sentAt reads the value of "sent_at". Like a timestamp it is no reason to refuse anything, whatever it is.
func (b *Bulk) sentAt() {
	s := &b.scan
	switch c := s.Peek(); {
	case c == '"' || c == '-' || isDigit(c):
		b.SentAt = readTime(s)
	case c == 'n':
		s.Value()
	default:
		s.Value()
		b.SentAt = Timestamp{state: notUnderstood}
	}
}

// verdict prefers what was wrong first.
func (b *Bulk) verdict(err *Error) *Error {
	if err == nil && b.scan.Fault != "" {
		err = malformed(b.scan.Fault, b.scan.FaultAt)
	}
	return err
}
