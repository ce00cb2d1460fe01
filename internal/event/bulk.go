package event

import (
	"bytes"
	"sluice/internal/strictjson"
)

// Form says how to read the body of a bulk.
type Form uint8

const (
	// FormJSON is an array of events, or an object with such an array under "events". Some shippers send objects one
	// after the other and call them JSON, on a line each or with nothing in between. Each of these objects is an
	// event.
	FormJSON Form = iota
	// FormNDJSON is one event on each line.
	FormNDJSON
	// FormAuto is any of these: an array, one object with an array "events", or events one after the other.
	FormAuto
)

// Bulk is what SplitBulk found. The zero Bulk is ready. A Bulk is reused; it is not safe for concurrent use.
type Bulk struct {
	// Items are the events in order, undecoded, without the white space around them. They alias the body.
	Items [][]byte
	// SentAt is the "sent_at" beside "events": the time of sending by the client's clock.
	SentAt Timestamp

	scan strictjson.Scanner

	each    func(i int, raw []byte, ev *Event, err error) // nil: items are only collected
	count   int                                           // items that each was called with
	decoder Decoder
	event   Event
}

// SplitBulk finds the items of a bulk in one pass: 1 to MaxBulkEvents of them. It returns nil or an *Error; after an
// error into has no items.
//
// An item ends where its brackets and quotes end. Decode checks what is between them, so one bad event does not spoil
// the others. If brackets do not match, a comma is missing, or the array or object around the items breaks off, the
// end of an item is uncertain and the whole bulk is malformed. Members beside "events" are checked as strictly as
// those of an event and otherwise ignored.
//
// In FormJSON a single object is an empty bulk if it has no "events" and no member but "sent_at": encoders that omit
// empty fields leave that. Any other object without an array "events" is an event, and so are the objects after it.
//
// Lines of NDJSON end with LF or CRLF; the last one may end without either. Blank lines do not count.
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

// release drops what belongs to the caller.
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
	return &Error{
		Code: CodeMalformed, Reason: "A bulk must be an array of events, an object with events, or an event a line.",
	}
}

// array reads a body that is an array of events.
func (b *Bulk) array() *Error {
	err := b.items()
	b.scan.End()
	return b.verdict(err)
}

// object reads a body that begins with an object. It reports whether the object is the bulk; otherwise the object is
// the first of several events.
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

// bulkMembers notes the members of an object that may be a bulk.
type bulkMembers struct {
	events        bool // an array
	eventsFirst   bool // only sent_at comes before the array
	foreignEvents bool // events of another type
	others        bool // members besides events and sent_at
}

// isBulk reports whether the object that s read from start on is the whole bulk, not the first of several events.
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

// sentAt reads the value of "sent_at". As with a timestamp, no value is a reason to refuse the bulk.
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

// verdict returns the error that came first: err, or else the scanner's fault.
func (b *Bulk) verdict(err *Error) *Error {
	if err == nil && b.scan.Fault != "" {
		err = malformed(b.scan.Fault, b.scan.FaultAt)
	}
	return err
}
