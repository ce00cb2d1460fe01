package event

// Form is how the body of a bulk is to be read.
type Form uint8

const (
	// FormJSON: an array of events, or an object with them under "events".
	FormJSON Form = iota
	// FormNDJSON: an event a line.
	FormNDJSON
	// FormAuto: FormJSON if the body is an array or one object with an array "events", else FormNDJSON.
	FormAuto
)

// Bulk is what SplitBulk found. It is reused; the zero Bulk is ready. It is for one goroutine at a time.
type Bulk struct {
	// Items are the events in order, undecoded, without the white space around them. They alias the body.
	Items [][]byte
	// SentAt is the "sent_at" beside "events": when the client sent the bulk by its own clock.
	SentAt Timestamp

	scanner scanner
	open    []uint64 // the splitter's stack, a bit an open bracket

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
// An object with neither "events" nor anything else that belongs to an event is an empty bulk: it is what is left
// where empty fields are omitted. Any other object without "events" is malformed.
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
	b.scanner.reset(body, emptied(b.scanner.repairs))
	b.count = 0
}

// release lets go of what is the caller's.
func (b *Bulk) release() {
	b.scanner.data = nil
	b.open = emptied(b.open)
	b.each = nil
}

func (b *Bulk) split(body []byte, form Form) *Error {
	first := b.scanner.peek()
	if first == 0 && b.scanner.pos == len(body) {
		return nil
	}
	switch {
	case form == FormNDJSON:
		return b.lines(body)
	case first == '[':
		return b.array()
	case first == '{':
		isBulk, err := b.object(form == FormAuto)
		if form == FormAuto && !isBulk {
			b.Items, b.SentAt = b.Items[:0], Timestamp{}
			return b.lines(body)
		}
		return err
	case form == FormAuto:
		return b.lines(body)
	}
	return &Error{Code: CodeMalformed, Reason: "A bulk must be an array of events or an object with events."}
}

// array reads a body that is an array of events.
func (b *Bulk) array() *Error {
	err := b.items()
	b.scanner.end()
	return b.verdict(err)
}

// object reads a body that begins like an object and reports whether it has an array "events". If the body may also be
// NDJSON, an object that is only its first line is not a bulk, whatever it has.
func (b *Bulk) object(maybeLines bool) (isBulk bool, err *Error) {
	s := &b.scanner
	start, others := s.pos, false
	o := s.object(kindBulk)
	for err == nil && s.member(&o) {
		switch o.field {
		case fieldEvents:
			isBulk = isBulk || s.peek() == '['
			err = b.events()
		case fieldSentAt:
			b.sentAt()
		default:
			others = true
			s.value()
		}
	}
	if maybeLines && err == nil && s.fault == "" && isFirstLine(s.data, start, s.pos) {
		return false, nil
	}
	s.end()
	err = b.verdict(err)
	if err == nil && !isBulk && others {
		err = &Error{Code: CodeMalformed, Field: "events", Reason: "A bulk that is an object must have its events under the name events."}
	}
	return isBulk, err
}

// events reads the value of "events"; null is absence.
func (b *Bulk) events() *Error {
	switch b.scanner.peek() {
	case '[':
		return b.items()
	case 'n':
		b.scanner.value()
		return nil
	}
	return &Error{Code: CodeMalformed, Field: "events", Reason: "events must be an array of events."}
}

// sentAt reads the value of "sent_at". Like a timestamp it is no reason to refuse anything, whatever it is.
func (b *Bulk) sentAt() {
	s := &b.scanner
	switch c := s.peek(); {
	case c == '"' || c == '-' || isDigit(c):
		b.SentAt = s.time()
	case c == 'n':
		s.value()
	default:
		s.value()
		b.SentAt = Timestamp{state: notUnderstood}
	}
}

// verdict prefers what was wrong first.
func (b *Bulk) verdict(err *Error) *Error {
	if err == nil && b.scanner.fault != "" {
		err = malformed(b.scanner.fault, b.scanner.faultAt)
	}
	return err
}
