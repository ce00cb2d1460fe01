package protocol

import (
	"bytes"
	"slices"
	"sync"

	"sluice/gateway/idset"
	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/format"
	"sluice/internal/strictjson"
)

// calls splits the bodies of Segment's and PostHog's clients. A body is a batch of items (an object with an array
// "batch", or a bare array) or a single item. A calls is reused; it is not safe for concurrent use.
type calls struct {
	scan    strictjson.Scanner
	decoder event.Decoder
	event   event.Event
	seen    idset.Set

	items    [][]byte        // not decoded yet; they alias the body
	isBatch  bool            // the items stand in an array
	typeAt   span            // of a single item: the value of its type
	hasType  bool            // which is a text
	context  []byte          // of the batch, for its items; it aliases the body
	sentAt   event.Timestamp // beside the items, or in a single item
	contexts contexts
}

// span is a part of an item. The zero span is none.
type span struct{ from, to int }

var callsPool = sync.Pool{New: func() any {
	c := &calls{decoder: event.Decoder{Formats: format.All()}}
	c.scan.Fields = callsField
	return c
}}

// The members of a body that mean something.
const (
	callsBatch = 1 + strictjson.NoField + iota
	callsSentAt
	callsContext
	callsType
	callsKey
)

// callsBody is the kind of the object around the items, or of a single item.
const callsBody = strictjson.LearntKinds

func callsField(kind strictjson.Kind, name []byte) strictjson.Field {
	if kind != callsBody {
		return strictjson.NoField
	}
	switch string(name) {
	case "batch":
		return callsBatch
	case "sentAt", "sent_at":
		return callsSentAt
	case "context":
		return callsContext
	case "type":
		return callsType
	case "writeKey", "api_key", "token", "integrations":
		return callsKey
	}
	return strictjson.NoField
}

// release drops what belongs to the request.
func (c *calls) release() {
	clear(c.items)
	if c.items = c.items[:0]; cap(c.items) > event.MaxBulkEvents {
		c.items = nil
	}
	c.scan.Release()
	if cap(c.scan.Repairs) > event.MaxBulkEvents { // of a body full of lone surrogates
		c.scan.Repairs = nil
	}
	c.isBatch, c.hasType, c.typeAt, c.context, c.sentAt = false, false, span{}, nil, event.Timestamp{}
	c.contexts = contexts{}
	callsPool.Put(c)
}

// find finds the items of a body.
func (c *calls) find(body []byte) *ingest.Problem {
	s := &c.scan
	s.Reset(body, s.Repairs[:0])
	var p *ingest.Problem
	switch s.Peek() {
	case '[':
		p = c.array()
	case '{':
		start := s.Pos
		if p = c.object(); p == nil && !c.isBatch {
			c.items = append(c.items[:0], body[start:s.Pos:s.Pos])
		}
	case 0:
		if s.Pos == len(body) {
			return errNoItems
		}
		fallthrough
	default:
		s.Fail(strictjson.FaultValue)
	}
	s.End()
	switch {
	case p != nil:
		return p
	case s.Fault != "":
		return ingest.Refuse(ingest.KindMalformed, "The JSON is malformed: "+s.Fault+".")
	case len(c.items) == 0:
		return errNoItems
	}
	return nil
}

var (
	errNoItems   = ingest.Refuse(ingest.KindEmpty, "There are no events in the body.")
	errBatchType = &ingest.Problem{
		Kind: ingest.KindMalformed, Field: "batch", Text: "batch must be an array of events.",
	}
	errManyItems = ingest.OverLimit(
		ingest.KindTooLarge, "The batch has more events than", event.LimitBulkEvents, event.MaxBulkEvents, "events")
)

// object reads the object around a batch, or a single item.
func (c *calls) object() *ingest.Problem {
	s := &c.scan
	start := s.Pos
	var p *ingest.Problem
	others := false
	for o := s.Object(callsBody); p == nil && s.Member(&o); {
		switch o.Field {
		case callsBatch:
			if c.isBatch = true; s.Peek() != '[' {
				s.Value()
				p = errBatchType
				continue
			}
			p = c.array()
		case callsSentAt:
			c.sentAt = event.ReadTime(s)
		case callsContext:
			c.context = s.Raw()
		case callsType:
			s.Peek()
			from := s.Pos
			text := s.Scalar()
			c.typeAt, c.hasType, others = span{from - start, s.Pos - start}, !text.IsBlank(), true
		case callsKey:
			s.Value()
		default:
			others = true
			s.Value()
		}
	}
	if p == nil && !c.isBatch && !others && s.Fault == "" {
		return errNoItems
	}
	return p
}

// giveType gives a single item that has no type the one that the path of its request names. Without it the record would
// not say which call the item is.
func (c *calls) giveType(callType string) {
	item, text := c.items[0], []byte(`"`+callType+`"`)
	if at := c.typeAt; at != (span{}) { // null, or blank
		c.items[0] = slices.Concat(item[:at.from], text, item[at.to:])
		return
	}
	c.items[0] = slices.Concat([]byte(`{"type":`), text, []byte(","), item[1:])
}

// array reads the items of a batch. An item ends where its brackets and quotes end; decoding checks what is between
// them, so that one bad item does not spoil the others.
func (c *calls) array() *ingest.Problem {
	s := &c.scan
	c.isBatch = true
	for a := s.Array(); s.Item(&a); {
		s.Peek()
		start := s.Pos
		if s.Skip(); s.Fault != "" {
			return nil
		}
		if len(c.items) == event.MaxBulkEvents {
			return errManyItems
		}
		c.items = append(c.items, s.Data[start:s.Pos:s.Pos])
	}
	return nil
}

// decode decodes the items under a format and gives them to the submission.
func (c *calls) decode(s *ingest.Submission, format string) {
	c.seen.Reset()
	c.decoder.MaxBytes = s.MaxEventBytes()
	for i, raw := range c.items {
		if err := c.decoder.DecodeAs(format, raw, &c.event); err != nil {
			s.Reject(ingest.FromDecoder(err))
			continue
		}
		own := raw
		if !c.event.HasID && c.event.IDSource.IsZero() {
			own = c.withoutSentAt(raw)
		}
		if id := s.EventID(&c.event, own, i); c.seen.Add(id) {
			s.Accept(raw, id)
		} else {
			s.Repeat(id)
		}
	}
	s.SentAt(c.sentAt)
}

// withoutSentAt returns an item without the time that clients stamp anew when they send the item again. The id of an
// item that names none is made of the rest.
func (c *calls) withoutSentAt(raw []byte) []byte {
	if !bytes.Contains(raw, []byte(`"sentAt"`)) && !bytes.Contains(raw, []byte(`"sent_at"`)) {
		return raw
	}
	s := &c.scan
	s.Reset(raw, s.Repairs[:0])
	s.Peek()
	for o := s.Object(callsBody); s.Member(&o); {
		s.Peek()
		start := s.Pos
		s.Value()
		if o.Field == callsSentAt {
			return append(bytes.Clone(raw[:start]), raw[s.Pos:]...)
		}
	}
	return raw
}
