package ingest

import (
	"github.com/google/uuid"

	"sluice/gateway/body"
	"sluice/internal/event"
)

// Item is one event of a submission. After publish it is kept if it has no problem and is no duplicate.
type Item struct {
	raw []byte // good until encode has made the record
	// ID is the event's id, nil if the event was refused before it was known.
	ID uuid.UUID
	// Problem is why the event was not kept.
	Problem *Problem
	// Duplicate says that an earlier event of the request has the same id.
	Duplicate bool
	frame     int32 // number of the frame that raw belongs in, plus one; 0: none
}

// Body returns the request's body, decompressed. It is good until Split returns.
func (s *Submission) Body() []byte { return s.body.Bytes() }

// MaxBulkBytes is the size of the largest bulk, in bytes.
func (s *Submission) MaxBulkBytes() int { return s.in.bulkLimit.bytes }

// MaxEventBytes is the size of the largest event, in bytes.
func (s *Submission) MaxEventBytes() int { return s.in.maxEventBytes }

// MaxBodyBytes is the size of the largest body of the protocol, in bytes.
func (s *Submission) MaxBodyBytes() int { return s.bodyLimit().bytes }

// Accept adds a valid event. raw must stay as it is until the records are made: a part of the body does.
func (s *Submission) Accept(raw []byte, id uuid.UUID) {
	s.valid = append(s.valid, int32(len(s.items))) // at most MaxBulkEvents
	s.items = append(s.items, Item{raw: raw, ID: id})
}

// Reject adds a refused event.
func (s *Submission) Reject(p *Problem) {
	s.items = append(s.items, Item{Problem: p, ID: p.EventID})
}

// Repeat adds an event that has the id of an earlier one.
func (s *Submission) Repeat(id uuid.UUID) {
	s.items = append(s.items, Item{ID: id, Duplicate: true})
}

// EventID returns the event's own id, or makes one. The order is: the event's own UUID; one made of the name that the
// event gives itself; one made of the Idempotency-Key and index; for a protocol with ResendsItems or DerivesIDs, one
// made of the event's bytes and its place; else a new UUIDv7. index is the event's place among all events of the
// request.
func (s *Submission) EventID(ev *event.Event, raw []byte, index int) uuid.UUID {
	if id, given := s.givenID(ev, index); given {
		return id
	}
	switch {
	case s.protocol.ResendsItems:
		return s.nthID(raw)
	case s.protocol.DerivesIDs:
		return contentID(s.project.id, raw, index)
	default:
		return event.NewID()
	}
}

// givenID returns the id that the client gave an event in some way.
func (s *Submission) givenID(ev *event.Event, index int) (id uuid.UUID, given bool) {
	switch {
	case ev.HasID:
		return ev.ID, true
	case !ev.IDSource.IsZero():
		return namedID(s.project.id, ev.IDSource), true
	case s.stamp.idempotencyKey != nil:
		return DerivedID(s.project.id, s.stamp.idempotencyKey, index), true
	}
	return id, false
}

// nthID makes an id from an event's bytes and the number of equal events before it in the request.
func (s *Submission) nthID(raw []byte) uuid.UUID {
	if s.equal == nil {
		s.equal = map[uuid.UUID]int{}
	}
	id := contentID(s.project.id, raw, 0)
	n := s.equal[id]
	s.equal[id] = n + 1
	if n == 0 {
		return id
	}
	return contentID(s.project.id, raw, n)
}

// Decompress replaces the body by what it holds in an encoding that no header names: gzip, deflate (which is zlib),
// zstd, br or base64. The body's size limit applies.
func (s *Submission) Decompress(coding string) *Problem {
	plain := body.GetBuffer()
	limit := s.bodyLimit()
	if p := limit.problem(limit.reader.Decode(coding, s.body, plain)); p != nil {
		plain.Release()
		return p
	}
	s.body.Release()
	s.body = plain
	return nil
}

// SentAt notes the time sent that the body gives, unless a header or the query gave one.
func (s *Submission) SentAt(ts event.Timestamp) {
	if t, understood := ts.Time(); understood && s.stamp.envelope.SentAt.IsZero() {
		s.stamp.envelope.SentAt = t
	}
}

// Ignore counts n things that the protocol acknowledges and does not keep. item is one of Protocol.Ignores. Any other
// name counts as "other", so that clients cannot make names up.
func (s *Submission) Ignore(item string, n int) {
	s.in.metrics.ignore(s.protocol.Name, s.protocol.Ignores, item, n)
}

// RejectRest refuses the events that come behind all others. They have no items: a few bytes can be millions of events.
func (s *Submission) RejectRest(p *Problem, events int) { s.rest = rest{p, events} }

// Rest returns what RejectRest was given.
func (s *Submission) Rest() (*Problem, int) { return s.rest.problem, s.rest.events }

// rest are refused events without an item.
type rest struct {
	problem *Problem
	events  int
}

// Items returns all events of the request in order, with what became of them.
func (s *Submission) Items() []Item { return s.items }

// Accepted returns how many events were kept.
func (s *Submission) Accepted() int { return s.accepted }

// Whole returns why an atomic submission was refused, or nil.
func (s *Submission) Whole() *Problem { return s.whole }

// ProjectID returns the id of the key's project.
func (s *Submission) ProjectID() string { return s.project.id }

// CountAccepted counts kept events.
func (s *Submission) CountAccepted(n int) { s.in.metrics.accept(s.protocol.Name, n) }

// CountRefused counts a refused event, or a request refused whole.
func (s *Submission) CountRefused(p *Problem) { s.CountAllRefused(p, 1) }

// CountAllRefused counts n events that were refused for the same reason.
func (s *Submission) CountAllRefused(p *Problem, n int) {
	s.in.metrics.reject(p.Kind, s.protocol.Name, n)
	s.refused[p.Kind] += n
}
