package protocol

import (
	"github.com/google/uuid"

	"sluice/gateway/ingest"
	"sluice/internal/event"
	"sluice/internal/strictjson"
)

// itemMalformed is the name, among those of ignored items, of what stands where an item should be.
const itemMalformed = "malformed"

// sentryIgnored are the items that are acknowledged and not kept.
var sentryIgnored = []string{
	"session", "sessions", "client_report", "check_in", "attachment", "trace_metric", "metric", "statsd",
	"metric_buckets", "replay_event", "replay_recording", "replay_video", "profile", "profile_chunk", "user_report",
	"raw_security", "otel_log", itemMalformed,
}

// splitEnvelope validates every event of an envelope.
func splitEnvelope(s *ingest.Submission) *ingest.Problem {
	sp, p := beginSentry(s)
	if p != nil {
		return p
	}
	defer sp.end()
	if len(s.Body()) == 0 {
		return errNoEnvelope
	}
	header, ok := sp.reader.begin(s.Body())
	if id, is := uuidOf(header.eventID); is {
		s.OwnID, sp.own = id, id
	}
	s.SentAt(header.sentAt)
	items := 0
	for it, more := sp.reader.next(); more; it, more = sp.reader.next() {
		items += sp.item(it)
	}
	if !ok && items == 0 {
		return errEnvelopeHeader
	}
	return nil
}

var (
	errNoEnvelope     = ingest.Refuse(ingest.KindEmpty, "There is no envelope.")
	errEnvelopeHeader = ingest.Refuse(ingest.KindMalformed, "The first line of an envelope must be a JSON object.")
	errCutList        = ingest.Refuse(ingest.KindMalformed, "The list of an item's entries is malformed.")
	errTooManyEvents  = ingest.OverLimit(ingest.KindTooLarge, "The envelope has more events than",
		event.LimitBulkEvents, event.MaxBulkEvents, "events")
)

// item takes or counts one item. It returns 1 if it knows what the item is, else 0.
func (sp *sentrySplitter) item(it envelopeItem) int {
	var buf [32]byte
	kind, _ := it.kind.Small(buf[:])
	switch string(kind) {
	case "":
		sp.submission.Ignore(itemMalformed, 1)
		return 0
	case "event", "transaction", "feedback":
		sp.accept(it.payload, sp.own)
	case "log", "span":
		sp.entriesOf(it.payload)
	case "client_report":
		sp.clientReport(it.payload)
		sp.submission.Ignore(string(kind), 1)
	default:
		sp.submission.Ignore(string(kind), 1)
	}
	return 1
}

// entriesOf takes the entries of an item: {"items":[…]}, a list, or a single entry. Each is found by its brackets
// alone and then read by itself, so that one that is malformed costs the others nothing.
func (sp *sentrySplitter) entriesOf(payload []byte) {
	s := &sp.entries
	s.Restart(payload)
	switch s.Peek() {
	case '[':
		sp.list(payload)
	case '{':
		if !sp.listIn(payload) {
			sp.accept(payload, uuid.Nil)
		}
	default:
		sp.accept(payload, uuid.Nil) // which refuses it
	}
}

// listIn takes the entries of an object with a member items, and reports whether there is one.
func (sp *sentrySplitter) listIn(payload []byte) (found bool) {
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
func (sp *sentrySplitter) list(payload []byte) {
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
			sp.reject(errCutList)
			return
		}
		sp.accept(payload[start:s.Pos:s.Pos], uuid.Nil)
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
func (sp *sentrySplitter) clientReport(payload []byte) {
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
func (sp *sentrySplitter) discarded(note bool) {
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
		sp.submission.NoteDiscarded(category.String(), reason.String(), quantity)
	}
}

// uuidOf reads a UUID, with or without dashes, that is not nil.
func uuidOf(text event.Text) (uuid.UUID, bool) {
	var ev event.Event
	ok := ev.SetID(text)
	return ev.ID, ok
}
