package ingest

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/internal/tracing"
)

// traces is what the spans of all requests have in common.
type traces struct {
	tracer *tracing.Tracer // nil: nothing is traced
	send   string          // name of the spans of publishing
	topic  string
	route  func(ctx *fasthttp.RequestCtx) string // nil: unknown
}

// spans are those of one request: the request, and the publishing of its events. Both are nil unless the request is
// traced. The traceparent of the records is that of send, so the spans of the consumer are its children.
type spans struct {
	request, send *tracing.Span
}

// beginTrace decides whether the request is traced, and begins its span. A message on a WebSocket is a request: it has
// the traceparent of the request that opened the connection.
func (s *Submission) beginTrace() {
	t := &s.in.traces
	if t.tracer == nil {
		return
	}
	if s.spans.request = t.tracer.Begin(traceparent(s.Ctx), "", tracing.Server, time.Now()); s.spans.request == nil {
		return
	}
	route := "other"
	if t.route != nil {
		route = t.route(s.Ctx)
	}
	method := string(s.Ctx.Method()) // one of the route's own: the router lets no other pass
	s.spans.request.Name(method + " " + route)
	s.spans.request.Set(
		tracing.String("http.request.method", method), tracing.String("http.route", route),
		tracing.String("sluice.protocol", s.protocol.Name),
	)
}

// endTrace ends the request's span with what became of the request.
func (s *Submission) endTrace() {
	span := s.spans.request
	if span == nil {
		return
	}
	refused := 0
	for _, n := range s.refused {
		refused += n
	}
	status := s.Ctx.Response.StatusCode()
	span.Set(
		tracing.Int("http.response.status_code", status), tracing.String("sluice.project", s.projectID()),
		tracing.Int("sluice.events.accepted", s.accepted), tracing.Int("sluice.events.refused", refused),
	)
	if status >= fasthttp.StatusInternalServerError {
		span.Fail(strconv.Itoa(status))
	}
	span.End(time.Now())
}

// beginSend begins the span of publishing, and makes it the cause of what the consumer does with the records. A request
// that is not traced loses the sampled flag of its client, so that the consumer does not trace what this gateway chose
// not to.
func (s *Submission) beginSend() {
	t := &s.in.traces
	if t.tracer == nil || len(s.valid) == 0 {
		return
	}
	s.spans.send = s.spans.request.Child(t.send, tracing.Producer, time.Now(),
		tracing.String("messaging.system", "kafka"), tracing.String("messaging.destination.name", t.topic),
		tracing.String("messaging.operation.name", "send"), tracing.String("messaging.operation.type", "send"),
		tracing.Int("messaging.batch.message_count", len(s.valid)),
	)
	if s.spans.send == nil {
		s.stamp.envelope.Traceparent = tracing.NotSampled(s.stamp.envelope.Traceparent)
		return
	}
	s.stamp.envelope.Traceparent = s.spans.send.Traceparent()
}

// endSend ends the span of publishing, and adds one for the spool.
func (s *Submission) endSend(lost int) {
	span := s.spans.send
	if span == nil {
		return
	}
	how := s.records.Delivery()
	span.Set(tracing.Int("sluice.send.attempts", how.Attempts))
	if how.Spooled > 0 {
		span.Set(tracing.Int("sluice.send.spooled", how.Spooled))
		span.Child("spool events", tracing.Internal, how.SpoolFrom,
			tracing.Int("sluice.spool.events", how.Spooled)).End(how.SpoolTo)
	}
	if lost > 0 {
		span.Set(tracing.Int("sluice.send.lost", lost))
		span.Fail("not_acknowledged")
	}
	span.End(time.Now())
}
