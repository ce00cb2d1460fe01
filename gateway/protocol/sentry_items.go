package protocol

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// envelopeParts takes what an envelope holds, in order.
type envelopeParts interface {
	// event takes what should be an event. If named, an event without an id has that of the envelope.
	event(raw []byte, named bool)
	// cut takes note of a list of events that ends in something else.
	cut()
	// ignore takes note of an item that is no event, by the name of its type. "" is no item at all.
	ignore(item string)
	// discard takes note of n things that the client dropped.
	discard(category, reason string, n int)
}

// envelopeSplitter splits an envelope into its parts.
type envelopeSplitter struct {
	reader  envelopeReader
	entries strictjson.Scanner // finds the entries of an item
	report  strictjson.Scanner // reads client reports
	to      envelopeParts
}

func (sp *envelopeSplitter) init() {
	sp.reader.init()
	sp.report.Fields = reportFields
}

// release drops the body.
func (sp *envelopeSplitter) release() {
	sp.to = nil
	sp.reader.release()
	sp.entries.Release()
	sp.report.Release()
}

// split hands the parts of an envelope whose header is read to sp.to. It returns how many items there are.
func (sp *envelopeSplitter) split() (items int) {
	for it, more := sp.reader.next(); more; it, more = sp.reader.next() {
		items += sp.item(it)
	}
	return items
}

// item hands one item on. It returns 1, or 0 for what is no item.
func (sp *envelopeSplitter) item(it envelopeItem) int {
	var buf [32]byte
	kind, _ := it.kind.Small(buf[:])
	switch string(kind) {
	case "":
		sp.to.ignore("")
		return 0
	case "event", "transaction", "feedback":
		sp.to.event(it.payload, true)
	case "log", "span":
		sp.entriesOf(it.payload)
	case "client_report":
		sp.clientReport(it.payload)
		sp.to.ignore("client_report")
	default:
		sp.to.ignore(string(kind))
	}
	return 1
}

// entriesOf takes the entries of an item: {"items":[…]}, a list, or a single entry. Each is found by its brackets
// alone and then read by itself, so that one that is malformed costs the others nothing.
func (sp *envelopeSplitter) entriesOf(payload []byte) {
	s := &sp.entries
	s.Restart(payload)
	switch s.Peek() {
	case '[':
		sp.list(payload)
	case '{':
		if !sp.listIn(payload) {
			sp.to.event(payload, false)
		}
	default:
		sp.to.event(payload, false) // which refuses it
	}
}

// listIn takes the entries of an object with a member items, and reports whether there is one.
func (sp *envelopeSplitter) listIn(payload []byte) (found bool) {
	s := &sp.entries
	s.Pos++
	for s.Peek() == '"' {
		start := s.Pos
		s.Skip()
		name := payload[start:s.Pos]
		if s.Peek() != ':' {
			return found
		}
		s.Pos++
		if string(name) == `"items"` && s.Peek() == '[' {
			found = true
			sp.list(payload)
		} else {
			s.Skip()
		}
		if s.Peek() != ',' {
			return found
		}
		s.Pos++
	}
	return found
}

// list takes the entries of the list at the position.
func (sp *envelopeSplitter) list(payload []byte) {
	s := &sp.entries
	s.Pos++
	for {
		switch s.Peek() {
		case ',':
			s.Pos++
			continue
		case ']':
			s.Pos++
			return
		}
		start := s.Pos
		if s.Skip(); s.Fault != "" {
			sp.to.cut()
			return
		}
		sp.to.event(payload[start:s.Pos:s.Pos], false)
	}
}

// The fields of client reports.
const (
	reportEvents = 1 + strictjson.NoField + iota
	reportReason
	reportCategory
	reportQuantity
)

func reportFields(_ strictjson.Kind, name []byte) strictjson.Field {
	switch string(name) {
	case "discarded_events":
		return reportEvents
	case "reason":
		return reportReason
	case "category":
		return reportCategory
	case "quantity":
		return reportQuantity
	}
	return strictjson.NoField
}

// clientReport notes what a client says it dropped. A malformed report is worth nothing, not even in part.
func (sp *envelopeSplitter) clientReport(payload []byte) {
	s := &sp.report
	for _, note := range []bool{false, true} {
		s.Reset(payload, sp.reader.repairs[:0])
		if s.Peek() != '{' {
			return
		}
		for o := s.Object(0); s.Member(&o); {
			if o.Field == reportEvents && s.Peek() == '[' {
				for a := s.Array(); s.Item(&a); {
					sp.discarded(note)
				}
			} else {
				s.Value()
			}
		}
		if s.End(); s.Fault != "" {
			return
		}
	}
}

// discarded reads one entry of a client report.
func (sp *envelopeSplitter) discarded(note bool) {
	s := &sp.report
	if s.Peek() != '{' {
		s.Value()
		return
	}
	var reason, category event.Text
	quantity := 0
	for o := s.Object(1); s.Member(&o); {
		switch o.Field {
		case reportReason:
			reason = s.Scalar()
		case reportCategory:
			category = s.Scalar()
		case reportQuantity:
			quantity = wholeNumber(s.Scalar())
		default:
			s.Value()
		}
	}
	if note && quantity > 0 {
		sp.to.discard(category.String(), reason.String(), quantity)
	}
}
