package ingest

import (
	"bytes"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/internal/event"
	"sluice/internal/recordbatch"
)

// stamp holds the data that all records of one request share.
type stamp struct {
	envelope event.Envelope
	header   *recordbatch.Headers // of the envelope; kept for its memory
	// key and partition are those of every record, unless each event has a key of its own.
	key       []byte
	partition int // −1: any
	// idempotencyKey makes the ids of events without one. nil: such ids are new each time. It aliases the request.
	idempotencyKey []byte
}

// Values of the setting partition-by, besides none.
const (
	byProject = "project"
	byEventID = "event_id"
)

// stampHead fills the stamp from the request's headers. The time received is taken before the body is read: the client
// says when it began to send, and a body may take minutes.
func (s *Submission) stampHead() *Problem {
	key, problem := idempotencyKey(s.Ctx)
	if problem != nil {
		return problem
	}
	s.stamp.idempotencyKey = key
	received := s.stamp.envelope.ReceivedAt
	if received.IsZero() {
		received = s.in.now()
	}
	s.stamp.envelope = event.Envelope{
		Project: s.project.id, ReceivedAt: received, SentAt: sentAt(s.Ctx), Traceparent: traceparent(s.Ctx),
		Format: s.protocol.Format,
	}
	s.stamp.partition = -1
	if s.in.partitionBy == byProject {
		s.stamp.key = []byte(s.project.id)
		s.stamp.partition = s.in.publisher.PartitionOf(s.stamp.key)
	}
	return nil
}

// seal writes the headers that all records share. Call it after the body is read, because the body may give the time
// sent.
func (s *stamp) seal() { s.header.Set(&s.envelope) }

// addRecord makes an event's record, which copies raw. expect is how many bytes of events, this one included, may still
// come; 0 for a single event.
func (s *Submission) addRecord(raw []byte, id uuid.UUID, expect int) {
	key, partition := s.stamp.key, s.stamp.partition
	if s.in.partitionBy == byEventID {
		var text [36]byte
		event.PutID(text[:], id)
		key, partition = text[:], s.in.publisher.PartitionOf(text[:])
	}
	h := s.stamp.header
	// The headers of an event of 200 bytes have about 100.
	s.records.Add(partition, key, raw, h, id, expect+expect/2+h.Size())
}

// traceparent returns a copy of the request's W3C trace context, or "" if it has no valid one.
func traceparent(ctx *fasthttp.RequestCtx) string {
	if v := string(ctx.Request.Header.Peek("Traceparent")); event.ValidTraceparent(v) {
		return v
	}
	return ""
}

const (
	HeaderSentAt = "X-Sent-At"
	querySentAt  = "sent_at"
)

// sentAt returns when the client sent the request by its own clock: RFC 3339 or Unix milliseconds, from X-Sent-At or
// else from ?sent_at=. An invalid value counts as absent, because an event is worth more than the correction of its
// time. sentAt returns the zero time if the client did not say.
func sentAt(ctx *fasthttp.RequestCtx) time.Time {
	if v := ctx.Request.Header.Peek(HeaderSentAt); len(v) > 0 {
		if t, understood := event.ParseTimestamp(v).Time(); understood {
			return t
		}
	}
	if len(ctx.URI().QueryString()) == 0 {
		return time.Time{}
	}
	if v := ctx.QueryArgs().Peek(querySentAt); len(v) > 0 {
		if t, understood := event.ParseTimestamp(withPlus(v)).Time(); understood {
			return t
		}
	}
	return time.Time{}
}

// withPlus restores the plus of an offset such as +01:00. In a query a bare plus means a space.
func withPlus(v []byte) []byte {
	const offset = len("+01:00")
	if at := len(v) - offset; at > 0 && v[at] == ' ' {
		v = bytes.Clone(v)
		v[at] = '+'
	}
	return v
}
