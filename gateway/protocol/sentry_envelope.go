package protocol

import (
	"bytes"

	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// envelopeReader reads the lines of an envelope:
//
//	header                JSON: event_id, sent_at
//	item's header         JSON: type, length
//	item's payload        length bytes, or a line if there is no length
//	…
//
// It takes what clients send and more: lines that end in CRLF, empty lines between items, no line break at the end. A
// length that does not end at a line break or at the end of the body is wrong, and counts as none. An item whose header
// is no JSON object with a type is passed over together with the line behind it. Each byte is read once, or twice where
// a length is wrong.
type envelopeReader struct {
	scan    strictjson.Scanner // of headers
	repairs []int
	body    []byte
	pos     int
}

// envelopeHeader is what an envelope's header says.
type envelopeHeader struct {
	eventID event.Text
	sentAt  event.Timestamp
}

// envelopeItem is one item of an envelope. Kind and payload alias the body.
type envelopeItem struct {
	kind    event.Text // zero: the header is malformed
	payload []byte
}

// The fields of headers.
const (
	headerEventID = 1 + strictjson.NoField + iota
	headerSentAt
	headerType
	headerLength
)

// The kinds of headers.
const (
	kindEnvelopeHeader strictjson.Kind = iota
	kindItemHeader
)

func headerFields(kind strictjson.Kind, name []byte) strictjson.Field {
	switch kind {
	case kindEnvelopeHeader:
		switch string(name) {
		case "event_id":
			return headerEventID
		case "sent_at":
			return headerSentAt
		}
	case kindItemHeader:
		switch string(name) {
		case "type":
			return headerType
		case "length":
			return headerLength
		}
	}
	return strictjson.NoField
}

func (r *envelopeReader) init() { r.scan.Fields = headerFields }

// release drops the body.
func (r *envelopeReader) release() {
	r.body = nil
	r.scan.Release()
}

// begin reads the header of an envelope. It reports false if the first line is no JSON object.
func (r *envelopeReader) begin(body []byte) (h envelopeHeader, ok bool) {
	r.body, r.pos = body, 0
	s := r.object(r.line())
	if s == nil {
		return h, false
	}
	for o := s.Object(kindEnvelopeHeader); s.Member(&o); {
		switch o.Field {
		case headerEventID:
			h.eventID = s.Scalar()
		case headerSentAt:
			h.sentAt = event.ReadTime(s)
		default:
			s.Value()
		}
	}
	return h, r.finish()
}

// next returns the next item, or false at the end.
func (r *envelopeReader) next() (it envelopeItem, more bool) {
	for r.pos < len(r.body) && isSpace(r.body[r.pos]) {
		r.pos++
	}
	if r.pos == len(r.body) {
		return it, false
	}
	length := -1
	if s := r.object(r.line()); s != nil {
		for o := s.Object(kindItemHeader); s.Member(&o); {
			switch o.Field {
			case headerType:
				it.kind = s.Scalar()
			case headerLength:
				length = wholeNumber(s.Scalar())
			default:
				s.Value()
			}
		}
		if !r.finish() {
			it.kind, length = event.Text{}, -1
		}
	}
	it.payload = r.payload(length)
	return it, true
}

// object begins to read a line as a JSON object, or returns nil if it is none.
func (r *envelopeReader) object(line []byte) *strictjson.Scanner {
	r.scan.Reset(line, r.repairs[:0])
	if r.scan.Peek() != '{' {
		return nil
	}
	return &r.scan
}

// finish ends an object, and reports whether it was well-formed and alone on its line.
func (r *envelopeReader) finish() bool {
	r.scan.End()
	r.repairs = r.scan.Repairs
	if cap(r.repairs) > keptRepairs {
		r.repairs = nil
	}
	return r.scan.Fault == ""
}

// keptRepairs bounds the memory that a header with many repairs leaves behind.
const keptRepairs = 4096

// payload returns what follows an item's header: length bytes, or a line if length is −1 or wrong.
func (r *envelopeReader) payload(length int) []byte {
	if length < 0 || length > len(r.body)-r.pos {
		return r.line()
	}
	end := r.pos + length
	next, ok := lineBreak(r.body, end)
	if !ok {
		return r.line()
	}
	payload := r.body[r.pos:end:end]
	r.pos = next
	return payload
}

// lineBreak returns where the line behind a position begins, if a line break or the end of the body is there.
func lineBreak(body []byte, at int) (next int, ok bool) {
	rest := body[at:]
	switch {
	case len(rest) == 0:
		return at, true
	case rest[0] == '\n':
		return at + 1, true
	case rest[0] == '\r' && (len(rest) == 1 || rest[1] == '\n'):
		return min(at+2, len(body)), true
	}
	return 0, false
}

// line returns the line at the position, without its line break, and moves behind it.
func (r *envelopeReader) line() []byte {
	rest := r.body[r.pos:]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 {
		r.pos = len(r.body)
		return rest[:len(rest):len(rest)]
	}
	r.pos += end + 1
	if end > 0 && rest[end-1] == '\r' {
		end--
	}
	return rest[:end:end]
}

// wholeNumber returns a number written in at most nine digits, or −1.
func wholeNumber(text event.Text) int {
	digits, ok := text.Verbatim()
	if !ok || len(digits) == 0 || len(digits) > 9 {
		return -1
	}
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
