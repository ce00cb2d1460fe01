package format

import (
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// Elastic is the format of documents that Elasticsearch's bulk API takes.
const Elastic = "elastic"

// elastic reads documents. An item is the document as the client sent it; the line of metadata before it only has the
// index, which is an address, and the document's id, which becomes the event's.
type elastic struct{ entry }

// Read is part of event.Reader.
func (e *elastic) Read(s *strictjson.Scanner, ev *event.Event) *event.Error {
	start := s.Pos
	e.read(s, ev)
	orWhole(s, ev, start)
	return nil
}

// orWhole makes the JSON from start to the scanner's position the message of an event that has no other.
func orWhole(s *strictjson.Scanner, ev *event.Event, start int) {
	if s.Fault == "" && ev.Message.IsBlank() && ev.Exception.Type.IsBlank() && ev.Exception.Value.IsBlank() {
		ev.Message = strictjson.Unrepaired(s.Data[start:s.Pos:s.Pos])
	}
}
