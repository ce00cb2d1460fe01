package gateway

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/conn"
	"sluice/gateway/ingest"
	"sluice/gateway/refusals"
	"sluice/internal/event"
)

// middleware lists what every request passes, from the outermost in. The six cost 30 ns a request, 0.4 % of a single
// event without network and Kafka (BenchmarkHandler). Fiber's own are not used: its request id echoes whatever a
// client sends, its CORS has one list of origins for all projects, and its recovery writes to stderr.
func (s *server) middleware() []any {
	return []any{s.measure, s.recoverPanic, s.identify, s.checkFraming, s.answerBrowser, s.answerExpect}
}

// measure counts and logs a request once it is answered.
func (s *server) measure(c *fiber.Ctx) error {
	start, ctx := time.Now(), c.Context()
	if err := c.Next(); err != nil {
		_ = s.failed(c, err)
	}
	if mayContinue(ctx) {
		return nil // the request has no answer yet: it comes here again, with its body
	}
	if conn.IsExcess(ctx) {
		ctx.SetConnectionClose()
	}
	r, took := routeOf(ctx), time.Since(start)
	s.metrics.request(r.label, ctx.Response.StatusCode(), took)
	s.logRequest(ctx, r.label, took)
	return nil
}

// logRequest logs every request at debug level, and refusals as package refusals does.
func (s *server) logRequest(ctx *fasthttp.RequestCtx, route string, took time.Duration) {
	o, refused := ingest.OutcomeIn(ctx)
	if !refused && !s.debug {
		return
	}
	status, code, id := ctx.Response.StatusCode(), o.Kind.Code(), ctx.Response.Header.Peek(ingest.HeaderRequestID)
	if s.debug {
		s.log.Debug("request answered", "route", route, "status", status, "code", code, "project", o.Project,
			"events_refused", o.Events, "took", took, "request_id", string(id))
	}
	if o.Kind != 0 && route != routeHealth { // a failing health check means draining, which has a line of its own
		s.refusals.Note(refusals.Kind{Route: route, Status: status, Code: code, Project: o.Project}, o.Events, id)
	}
}

// recoverPanic answers 500 to a request whose handler panics. Decoders of many authors read bytes of strangers; none of
// them may end the process.
func (s *server) recoverPanic(c *fiber.Ctx) error {
	defer func() {
		if cause := recover(); cause != nil {
			s.panicked(cause)
			c.Context().SetConnectionClose() // part of the body may be unread
			ingest.Refuse(ingest.KindInternal, "Something went wrong on our side.").Write(c.Context())
		}
	}()
	return c.Next()
}

// panicked logs what made a handler panic. It is called while the panic is under way.
func (s *server) panicked(cause any) {
	s.ingester.Panicked()
	s.log.Error("handler panicked", "panic", cause, "stack", string(debug.Stack()))
}

// identify gives the request its id.
func (*server) identify(c *fiber.Ctx) error {
	setRequestID(c.Context())
	return c.Next()
}

// setRequestID echoes the client's id if it is valid, and makes one otherwise.
func setRequestID(ctx *fasthttp.RequestCtx) {
	id := ctx.Request.Header.Peek(ingest.HeaderRequestID)
	if validRequestID(id) {
		ctx.Response.Header.SetBytesV(ingest.HeaderRequestID, id)
		return
	}
	// The id is no secret. It must only be unlikely to occur twice.
	fresh := uuid.UUID{}
	binary.BigEndian.PutUint64(fresh[:8], rand.Uint64())
	binary.BigEndian.PutUint64(fresh[8:], rand.Uint64())
	fresh[6], fresh[8] = fresh[6]&0x0F|0x40, fresh[8]&0x3F|0x80 // version 4 (RFC 9562, section 5.4)
	var text [36]byte
	event.PutID(text[:], fresh)
	ctx.Response.Header.SetBytesV(ingest.HeaderRequestID, text[:])
}

// validRequestID reports whether an id is safe in a log: [A-Za-z0-9_-]{1,64}.
func validRequestID(id []byte) bool {
	if len(id) < 1 || len(id) > 64 {
		return false
	}
	return !slices.ContainsFunc(id, func(c byte) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-'
	})
}

// checkFraming refuses a request whose head has several readings. Where the request ends is unknown, so the connection
// closes.
func (s *server) checkFraming(c *fiber.Ctx) error {
	ctx := c.Context()
	if conn.Framed(&ctx.Request.Header) {
		return c.Next()
	}
	s.ingester.AnyOrigin(ctx)
	ctx.SetConnectionClose()
	errNotHTTP.Write(ctx)
	return nil
}

// answerBrowser tells browsers what they may do, and answers OPTIONS.
func (s *server) answerBrowser(c *fiber.Ctx) error {
	ctx := c.Context()
	welcome := s.ingester.AnyOrigin(ctx)
	if !ctx.IsOptions() {
		return c.Next()
	}
	s.options(ctx, routeOf(ctx), welcome)
	return nil
}

// options answers OPTIONS with 204 and the methods of the path. A preflight has no key, so the origins of all
// projects pass; the request that follows is checked against its own project's origins.
//
// A preflight for an unknown path or a wrong method passes too. If it failed, the page would see a network error; now
// it sees the 404 or 405 of the request that follows.
func (s *server) options(ctx *fasthttp.RequestCtx, r *route, welcome bool) {
	h := &ctx.Response.Header
	allow, known := r.allow, r != otherRoute
	wanted := ctx.Request.Header.Peek(fasthttp.HeaderAccessControlRequestMethod)
	if !known && len(wanted) == 0 {
		s.notFound(ctx, r)
		return
	}
	body.Discard(ctx, s.ingester.BulkBytes())
	if known {
		h.Set(fasthttp.HeaderAllow, allow+", "+fasthttp.MethodOptions)
	}
	h.Del(fasthttp.HeaderAccessControlExposeHeaders) // only the answer to the request proper has it
	if len(wanted) > 0 && welcome {
		if !known || !slices.Contains(corsSafelisted, string(wanted)) {
			allow = corsAnyMethod
		}
		h.Set(fasthttp.HeaderAccessControlAllowMethods, allow)
		h.Set(fasthttp.HeaderAccessControlAllowHeaders, corsAllowed)
		h.Set(fasthttp.HeaderAccessControlMaxAge, corsMaxAge)
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// headOnly is the user value of a request whose client waits for leave to send the body.
type headOnly struct{}

// headOnlyState is the verdict on the head of such a request.
type headOnlyState struct{ mayContinue bool }

// expect answers "Expect: 100-continue". The client gets 100 if the request's head is no reason to refuse it. Otherwise
// the client gets the refusal at once, and keeps the body.
func expect(ctx *fasthttp.RequestCtx, handler fasthttp.RequestHandler) int {
	var state headOnlyState
	ctx.SetUserValue(headOnly{}, &state)
	handler(ctx)
	ctx.RemoveUserValue(headOnly{})
	if state.mayContinue {
		return fasthttp.StatusContinue
	}
	return ctx.Response.StatusCode()
}

// mayContinue reports whether the client has leave to send the body, and the request has no answer yet.
func mayContinue(ctx *fasthttp.RequestCtx) bool {
	state, is := ctx.UserValue(headOnly{}).(*headOnlyState)
	return is && state.mayContinue
}

// answerExpect checks the head of a request whose client waits.
func (s *server) answerExpect(c *fiber.Ctx) error {
	ctx := c.Context()
	state, is := ctx.UserValue(headOnly{}).(*headOnlyState)
	if !is {
		return c.Next()
	}
	switch r := routeOf(ctx); {
	case r.protocol != nil && r.takes(ctx.Method()):
		state.mayContinue = s.ingester.IngestHead(ctx, r.protocol)
	case r.protocol == nil && (ctx.IsGet() || ctx.IsHead() || r.takes(ctx.Method())):
		state.mayContinue = true // the handler answers, on every path
	default:
		s.notFound(ctx, r)
	}
	return nil
}
