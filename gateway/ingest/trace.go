package ingest

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"sluice/gateway/publish"
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

// begin decides whether a request is traced, and begins its span. A message on a WebSocket is a request with the
// traceparent of the request that opened the connection.
func (t *traces) begin(ctx *fasthttp.RequestCtx, traceparent, protocol string, message bool) *tracing.Span {
	span := t.tracer.Begin(traceparent, "", tracing.Server, time.Now())
	if span == nil {
		return nil
	}
	route := "other"
	if t.route != nil {
		route = t.route(ctx)
	}
	span.Set(tracing.String("http.route", route), tracing.String("sluice.protocol", protocol))
	if message {
		span.Name("message " + route)
		return span
	}
	method := string(ctx.Method()) // one of the route's own: the router lets no other pass
	span.Name(method + " " + route)
	span.Set(tracing.String("http.request.method", method))
	return span
}

// end ends the request's span with what became of the request.
func (s *spans) end(status int, project string, accepted, refused int) {
	s.request.Set(
		tracing.Int("http.response.status_code", status), tracing.String("sluice.project", project),
		tracing.Int("sluice.events.accepted", accepted), tracing.Int("sluice.events.refused", refused),
	)
	if status >= fasthttp.StatusInternalServerError {
		s.request.Fail(strconv.Itoa(status))
	}
	s.request.End(time.Now())
}

// beginSend begins the span of publishing events, and returns the traceparent of their records, which makes what the
// consumer does with them a child of the span. given is that of the client. A request that is not traced loses its
// client's sampled flag, so that the consumer does not trace what this gateway chose not to.
func (t *traces) beginSend(s *spans, events int, given string) string {
	if s.request == nil {
		return tracing.NotSampled(given)
	}
	s.send = s.request.Child(t.send, tracing.Producer, time.Now(),
		tracing.String("messaging.system", "kafka"), tracing.String("messaging.destination.name", t.topic),
		tracing.String("messaging.operation.name", "send"), tracing.String("messaging.operation.type", "send"),
		tracing.Int("messaging.batch.message_count", events),
	)
	return s.send.Traceparent()
}

// endSend ends the span of publishing, and adds one for the spool. lost is how many events were not kept.
func (s *spans) endSend(how publish.Delivery, lost int) {
	s.send.Set(tracing.Int("sluice.send.attempts", how.Attempts))
	if how.Spooled > 0 {
		s.send.Set(tracing.Int("sluice.send.spooled", how.Spooled))
		s.send.Child("spool events", tracing.Internal, how.SpoolFrom,
			tracing.Int("sluice.spool.events", how.Spooled)).End(how.SpoolTo)
	}
	if lost > 0 {
		s.send.Set(tracing.Int("sluice.send.lost", lost))
		s.send.Fail("not_acknowledged")
	}
	s.send.End(time.Now())
}
