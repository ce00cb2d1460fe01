package gateway

import (
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/conn"
	"sluice/gateway/refusals"
)

// server is the public port: it routes requests, and answers all those that bring no events.
type server struct {
	app      *fiber.App
	conns    *conn.Set
	ingester *ingester
	draining *atomic.Bool
	refusals *refusals.Log
	log      *slog.Logger

	maxHeaderBytes int
}

type serverConfig struct {
	maxHeaderBytes int
	maxConnections int
	idleTimeout    time.Duration
	parkAfter      time.Duration // 0: the default
}

// newServer makes the server out of the table of routes.
func newServer(cfg serverConfig, in *ingester, draining *atomic.Bool, log *slog.Logger) *server {
	s := &server{ingester: in, draining: draining, refusals: refusals.New(log), log: log, maxHeaderBytes: cfg.maxHeaderBytes}
	s.app = s.newApp(cfg)
	s.conns = conn.New(s.app.Server(), conn.Config{
		Max: cfg.maxConnections, ParkAfter: cfg.parkAfter, TurnedAway: func() { in.metrics.turnedAway(limitConnections) }, Log: log,
	})
	return s
}

// serve answers the requests that come over l until the app is shut down.
func (s *server) serve(l net.Listener) error { return s.app.Listener(s.conns.Bound(l)) }

func (s *server) newApp(cfg serverConfig) *fiber.App {
	app := fiber.New(fiber.Config{
		ErrorHandler:                 func(c *fiber.Ctx, err error) error { return s.failed(c, err) },
		CaseSensitive:                true,
		StrictRouting:                true,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true,
		StreamRequestBody:            true, // the key is checked before the body is read
		BodyLimit:                    s.ingester.bulkLimit.bytes,
		ReadTimeout:                  body.Silence,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  cfg.idleTimeout,
		ReadBufferSize:               cfg.maxHeaderBytes, // the largest request line with headers
		WriteBufferSize:              1 << 10,            // a usual answer; each open connection holds one
	})
	app.Use(s.measure, s.recoverPanic, s.identify, s.checkFraming, s.answerBrowser, s.answerExpect)
	for _, r := range routes {
		for _, method := range r.methods {
			app.Add(method, r.path, func(c *fiber.Ctx) error {
				s.answer(c.Context(), r)
				return nil
			})
		}
	}
	app.Use(func(c *fiber.Ctx) error {
		s.notFound(c.Context(), routeOf(c.Context()))
		return nil
	})

	under := app.Server()
	under.CloseOnShutdown = true
	under.SecureErrorLogMessage = true
	under.HeaderReceived = s.headerReceived
	handler := nameUnknownMethods(app.Handler())
	under.Handler = handler
	under.ExpectHandler = func(ctx *fasthttp.RequestCtx) int { return expect(ctx, handler) }
	return app
}

// The middleware, from the outermost in. These six cost 30 ns a request, 0.4 % of a single event without network and Kafka
// (BenchmarkHandler). Fiber's own are not used: its request id echoes whatever a client sends, its CORS knows one list of
// origins for all projects, and its recovery writes to stderr.

// measure counts and logs each request once it is answered.
func (s *server) measure(c *fiber.Ctx) error {
	start, ctx := time.Now(), c.Context()
	if err := c.Next(); err != nil {
		_ = s.failed(c, err)
	}
	if mayContinue(ctx) {
		return nil // no answer yet: it comes here again, with its body
	}
	if conn.IsSurplus(ctx) {
		ctx.SetConnectionClose()
	}
	r, took := routeOf(ctx), time.Since(start)
	s.ingester.metrics.request(r.label, ctx.Response.StatusCode(), took)
	s.logRequest(ctx, r.label, took)
	return nil
}

// recoverPanic makes a panic one request's 500. The bytes that strangers send go through decoders of many authors, and none of
// them should be able to end the process.
func (s *server) recoverPanic(c *fiber.Ctx) error {
	defer func() {
		if cause := recover(); cause != nil {
			s.log.Error("handler panicked", "panic", cause, "stack", string(debug.Stack()))
			c.Context().SetConnectionClose() // nobody knows how far the body was read
			refuse(kindInternal, "Something went wrong on our side.").write(c.Context())
		}
	}()
	return c.Next()
}

// identify gives the request its id.
func (*server) identify(c *fiber.Ctx) error {
	setRequestID(c.Context())
	return c.Next()
}

// checkFraming refuses a request whose head has several readings. Nobody knows where it ends, so the connection closes.
func (s *server) checkFraming(c *fiber.Ctx) error {
	ctx := c.Context()
	if conn.Framed(&ctx.Request.Header) {
		return c.Next()
	}
	s.ingester.projects.Load().origins.answer(ctx)
	ctx.SetConnectionClose()
	errNotHTTP.write(ctx)
	return nil
}

// answerBrowser tells browsers what they may do, and answers OPTIONS.
func (s *server) answerBrowser(c *fiber.Ctx) error {
	ctx := c.Context()
	welcome := s.ingester.projects.Load().origins.answer(ctx)
	if !ctx.IsOptions() {
		return c.Next()
	}
	s.options(ctx, routeOf(ctx), welcome)
	return nil
}

// headerReceived lets a body that is announced as too large through to the handler, which refuses it, with next to none of it
// read: by default the server would first wait for several kilobytes.
func (s *server) headerReceived(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if h.ContentLength() > s.ingester.bulkLimit.bytes {
		return fasthttp.RequestConfig{MaxRequestBodySize: 1}
	}
	return fasthttp.RequestConfig{}
}

// health answers load balancers, which should look away from a gateway that drains.
func (s *server) health(ctx *fasthttp.RequestCtx) *problem {
	if s.draining.Load() {
		return refuse(kindUnavailable, "The gateway is shutting down.")
	}
	writeJSON(ctx, struct {
		Status string `json:"status"`
	}{"ok"})
	return nil
}

// failed answers what a handler returned as an error and what never reached one: requests that are not HTTP as they should
// be. Texts are fixed, because the server's own would quote the request, key included.
func (s *server) failed(c *fiber.Ctx, err error) error {
	ctx := c.Context()
	unread := len(ctx.Response.Header.Peek(headerRequestID)) == 0
	if unread {
		setRequestID(ctx)
		s.ingester.projects.Load().origins.general(ctx)
	}
	var p *problem
	if !errors.As(err, &p) {
		p = s.foreign(err)
	}
	p.write(ctx)
	if unread && isRequest(err) {
		s.ingester.metrics.request(routeOther, ctx.Response.StatusCode(), 0)
		s.logRequest(ctx, routeOther, 0)
	}
	return nil
}

// isRequest reports whether an error is about what a client sent. The others are of connections that ended, or over which
// nothing came.
func isRequest(err error) bool {
	var e *fiber.Error
	return errors.As(err, &e) && e.Code != fasthttp.StatusRequestTimeout && e.Code != fasthttp.StatusBadGateway
}

func (s *server) foreign(err error) *problem {
	var e *fiber.Error
	if !errors.As(err, &e) {
		s.log.Error("request failed", "err", err)
		return refuse(kindInternal, "Something went wrong on our side.")
	}
	switch e.Code {
	case fasthttp.StatusRequestHeaderFieldsTooLarge:
		return overLimit(kindHeadersTooLarge, "The request line and its headers are larger than", limitHeaderBytes, int64(s.maxHeaderBytes), "bytes")
	case fasthttp.StatusRequestTimeout:
		return refuse(kindTimeout, "The request came too slowly.")
	case fasthttp.StatusRequestEntityTooLarge:
		return s.ingester.bulkLimit.exceeded("The body is larger than")
	case fasthttp.StatusMethodNotAllowed:
		return refuse(kindMethodNotAllowed, "The path does not take this method.")
	default:
		return errNotHTTP
	}
}

var errNotHTTP = refuse(kindMalformed, "The request is not valid HTTP.")

// logRequest logs a request at debug level, and a refusal as refusals does.
func (s *server) logRequest(ctx *fasthttp.RequestCtx, route string, took time.Duration) {
	o, _ := ctx.UserValue(outcomeKey{}).(*requestOutcome)
	if o == nil && !s.ingester.debug {
		return
	}
	if o == nil {
		o = &requestOutcome{}
	}
	status, code, id := ctx.Response.StatusCode(), answers[o.kind].code, ctx.Response.Header.Peek(headerRequestID)
	if s.ingester.debug {
		s.log.Debug("request answered", "route", route, "status", status, "code", code, "project", o.project,
			"events_refused", o.events, "took", took, "request_id", string(id))
	}
	if o.kind != 0 && route != routeHealth { // that the gateway drains is logged already
		s.refusals.Note(refusals.Kind{Route: route, Status: status, Code: code, Project: o.project}, o.events, id)
	}
}
