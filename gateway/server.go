package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/conn"
	"sluice/gateway/ingest"
	"sluice/gateway/protocol"
	"sluice/gateway/refusals"
	"sluice/gateway/stream"
)

// server is the public port. It routes requests, and answers those that bring no events.
type server struct {
	app      *fiber.App
	conns    *conn.Set
	ingester *ingest.Ingester
	metrics  *metrics
	draining *atomic.Bool
	refusals *refusals.Log
	streams  *stream.Hub
	log      *slog.Logger

	maxHeaderBytes int
	debug          bool // every request is logged
}

type serverConfig struct {
	maxHeaderBytes int           // of the request line with headers
	maxConnections int           // 0: no bound
	idleTimeout    time.Duration // of a connection between requests
	parkAfter      time.Duration // 0: the default
	streamPing     time.Duration // 0: the default
}

func newServer(cfg serverConfig, in *ingest.Ingester, m *metrics, draining *atomic.Bool, log *slog.Logger) *server {
	s := &server{
		ingester: in, metrics: m, draining: draining, refusals: refusals.New(log), log: log,
		maxHeaderBytes: cfg.maxHeaderBytes,
		debug:          log.Enabled(context.Background(), slog.LevelDebug),
	}
	s.app = s.newApp(cfg)
	s.streams = stream.New(stream.Config{
		Ingester: in, Single: protocol.NativeSingle, Bulk: protocol.NativeBulk, Ping: cfg.streamPing,
		Answered: func(ctx *fasthttp.RequestCtx, took time.Duration) {
			m.request(routeStream, ctx.Response.StatusCode(), took)
			s.logRequest(ctx, routeStream, took)
		},
		Panicked: s.panicked,
	})
	s.conns = conn.New(s.app.Server(), conn.Config{
		Max: cfg.maxConnections, ParkAfter: cfg.parkAfter, Log: log,
		TurnedAway: func() { in.TurnedAway(ingest.LimitConnections) },
		Left:       s.streams.Open,
	})
	return s
}

// serve answers the requests that come over l until the app is shut down.
func (s *server) serve(l net.Listener) error { return s.app.Listener(s.conns.Bound(l)) }

// newApp puts the middleware in front of the table of routes.
func (s *server) newApp(cfg serverConfig) *fiber.App {
	app := fiber.New(fiber.Config{
		ErrorHandler:                 func(c *fiber.Ctx, err error) error { return s.failed(c, err) },
		CaseSensitive:                true,
		StrictRouting:                true,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true,
		StreamRequestBody:            true, // the key is checked before the body is read
		BodyLimit:                    s.ingester.BulkBytes(),
		ReadTimeout:                  body.Silence,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  cfg.idleTimeout,
		ReadBufferSize:               cfg.maxHeaderBytes,
		WriteBufferSize:              1 << 10, // a usual answer; each open connection holds one
	})
	app.Use(s.middleware()...)
	// The table is looked up once more than Fiber's router would, but the labels, the hints and the router cannot
	// disagree about a path.
	app.Use(func(c *fiber.Ctx) error {
		ctx := c.Context()
		if r := routeOf(ctx); r.takes(ctx.Method()) {
			s.answer(ctx, r)
		} else {
			s.notFound(ctx, r)
		}
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

// nameUnknownMethods renames methods that Fiber does not know to one that it knows and no route takes. Otherwise Fiber
// would answer them in front of the middleware.
func nameUnknownMethods(handler fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if !slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			ctx.Request.Header.SetMethod(fiber.MethodTrace)
		}
		handler(ctx)
	}
}

// headerReceived hands a body that is announced as too large to the handler, which refuses it almost unread. By default
// the server first waits for several kilobytes of the body.
func (s *server) headerReceived(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if h.ContentLength() > s.ingester.BulkBytes() {
		return fasthttp.RequestConfig{MaxRequestBodySize: 1}
	}
	return fasthttp.RequestConfig{}
}

// health answers load balancers: 200, or 503 while the gateway drains.
func (s *server) health(ctx *fasthttp.RequestCtx) *ingest.Problem {
	if s.draining.Load() {
		return ingest.Refuse(ingest.KindUnavailable, "The gateway is shutting down.")
	}
	ingest.WriteJSON(ctx, struct {
		Status string `json:"status"`
	}{"ok"})
	return nil
}

// stream answers a request for a WebSocket connection.
func (s *server) stream(ctx *fasthttp.RequestCtx) *ingest.Problem { return s.streams.Upgrade(ctx) }

// failed answers requests that Fiber or fasthttp refused, most of them before any middleware: they are not valid
// HTTP, or too large. The texts are our own: fasthttp's quote the request, with its key.
func (s *server) failed(c *fiber.Ctx, err error) error {
	ctx := c.Context()
	unread := len(ctx.Response.Header.Peek(ingest.HeaderRequestID)) == 0
	if unread {
		setRequestID(ctx)
		s.ingester.GeneralOrigins(ctx)
	}
	s.fromFiberError(err).Write(ctx)
	if unread && isRequest(err) {
		s.metrics.request(routeOther, ctx.Response.StatusCode(), 0)
		s.logRequest(ctx, routeOther, 0)
	}
	return nil
}

// isRequest reports whether an error is about what a client sent. Other errors are about connections that ended or were
// silent.
func isRequest(err error) bool {
	var e *fiber.Error
	return errors.As(err, &e) && e.Code != fasthttp.StatusRequestTimeout && e.Code != fasthttp.StatusBadGateway
}

func (s *server) fromFiberError(err error) *ingest.Problem {
	var e *fiber.Error
	if !errors.As(err, &e) {
		s.log.Error("request failed", "err", err)
		return ingest.Refuse(ingest.KindInternal, "Something went wrong on our side.")
	}
	switch e.Code {
	case fasthttp.StatusRequestHeaderFieldsTooLarge:
		return ingest.OverLimit(ingest.KindHeadersTooLarge,
			"The request line and its headers are larger than", ingest.LimitHeaderBytes, int64(s.maxHeaderBytes), "bytes")
	case fasthttp.StatusRequestTimeout:
		return ingest.Refuse(ingest.KindTimeout, "The request came too slowly.")
	case fasthttp.StatusRequestEntityTooLarge:
		return s.ingester.BulkTooLarge()
	case fasthttp.StatusMethodNotAllowed:
		return ingest.Refuse(ingest.KindMethodNotAllowed, "The path does not take this method.")
	default:
		return errNotHTTP
	}
}

var errNotHTTP = ingest.Refuse(ingest.KindMalformed, "The request is not valid HTTP.")
