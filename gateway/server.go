package gateway

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/conn"
	"sluice/internal/event"
)

const headerRequestID = "X-Request-Id"

// newApp makes the server of the public port out of the table of routes.
func (g *Gateway) newApp() *fiber.App {
	app := fiber.New(fiber.Config{
		ErrorHandler:                 func(c *fiber.Ctx, err error) error { return g.failed(c, err) },
		CaseSensitive:                true,
		StrictRouting:                true,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true,
		StreamRequestBody:            true, // the key is checked before the body is read
		BodyLimit:                    g.cfg.MaxBulkBytes,
		ReadTimeout:                  body.Silence,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  g.cfg.HTTPIdleTimeout,
		ReadBufferSize:               g.cfg.MaxHeaderBytes, // the largest request line with headers
		WriteBufferSize:              1 << 10,              // a usual answer; each open connection holds one
	})
	app.Use(g.measure, g.recoverPanic, g.identify, g.checkFraming, g.answerBrowser, g.answerExpect)
	for _, r := range routes {
		for _, method := range r.methods {
			app.Add(method, r.path, func(c *fiber.Ctx) error {
				g.serve(c.Context(), r)
				return nil
			})
		}
	}
	app.Use(func(c *fiber.Ctx) error {
		g.notFound(c.Context(), routeOf(c.Context()))
		return nil
	})

	server := app.Server()
	server.CloseOnShutdown = true
	server.SecureErrorLogMessage = true
	server.HeaderReceived = g.headerReceived
	handler := nameUnknownMethods(app.Handler())
	server.Handler = handler
	server.ExpectHandler = func(ctx *fasthttp.RequestCtx) int { return expect(ctx, handler) }
	return app
}

// The middleware, from the outermost in. These six cost 30 ns a request, 0.4 % of a single event without network and Kafka
// (BenchmarkHandler). Fiber's own are not used: its request id echoes whatever a client sends, its CORS knows one list of
// origins for all projects, and its recovery writes to stderr.

// measure counts and logs each request once it is answered.
func (g *Gateway) measure(c *fiber.Ctx) error {
	start, ctx := time.Now(), c.Context()
	if err := c.Next(); err != nil {
		_ = g.failed(c, err)
	}
	if mayContinue(ctx) {
		return nil // no answer yet: it comes here again, with its body
	}
	if conn.IsSurplus(ctx) {
		ctx.SetConnectionClose()
	}
	r, took := routeOf(ctx), time.Since(start)
	g.metrics.request(r.label, ctx.Response.StatusCode(), took)
	g.logRequest(ctx, r.label, took)
	return nil
}

// recoverPanic makes a panic one request's 500. The bytes that strangers send go through decoders of many authors, and none of
// them should be able to end the process.
func (g *Gateway) recoverPanic(c *fiber.Ctx) error {
	defer func() {
		if cause := recover(); cause != nil {
			g.log.Error("handler panicked", "panic", cause, "stack", string(debug.Stack()))
			c.Context().SetConnectionClose() // nobody knows how far the body was read
			refuse(kindInternal, "Something went wrong on our side.").write(c.Context())
		}
	}()
	return c.Next()
}

// identify gives the request its id.
func (*Gateway) identify(c *fiber.Ctx) error {
	setRequestID(c.Context())
	return c.Next()
}

// checkFraming refuses a request whose head has several readings. Nobody knows where it ends, so the connection closes.
func (g *Gateway) checkFraming(c *fiber.Ctx) error {
	ctx := c.Context()
	if conn.Framed(&ctx.Request.Header) {
		return c.Next()
	}
	g.projects.Load().origins.answer(ctx)
	ctx.SetConnectionClose()
	errNotHTTP.write(ctx)
	return nil
}

// answerBrowser tells browsers what they may do, and answers OPTIONS.
func (g *Gateway) answerBrowser(c *fiber.Ctx) error {
	ctx := c.Context()
	welcome := g.projects.Load().origins.answer(ctx)
	if !ctx.IsOptions() {
		return c.Next()
	}
	g.options(ctx, routeOf(ctx), welcome)
	return nil
}

// headerReceived lets a body that is announced as too large through to the handler, which refuses it, with next to none of it
// read: by default the server would first wait for several kilobytes.
func (g *Gateway) headerReceived(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if h.ContentLength() > g.cfg.MaxBulkBytes {
		return fasthttp.RequestConfig{MaxRequestBodySize: 1}
	}
	return fasthttp.RequestConfig{}
}

// setRequestID echoes the client's id if it is one that cannot hurt a log, and makes one otherwise.
func setRequestID(ctx *fasthttp.RequestCtx) {
	id := ctx.Request.Header.Peek(headerRequestID)
	if validRequestID(id) {
		ctx.Response.Header.SetBytesV(headerRequestID, id)
		return
	}
	// Not for secrets: it need only be unlikely to occur twice.
	fresh := uuid.UUID{}
	binary.BigEndian.PutUint64(fresh[:8], rand.Uint64())
	binary.BigEndian.PutUint64(fresh[8:], rand.Uint64())
	fresh[6], fresh[8] = fresh[6]&0x0F|0x40, fresh[8]&0x3F|0x80 // version 4 (RFC 9562, section 5.4)
	var text [36]byte
	event.PutID(text[:], fresh)
	ctx.Response.Header.SetBytesV(headerRequestID, text[:])
}

func validRequestID(id []byte) bool {
	if len(id) < 1 || len(id) > 64 {
		return false
	}
	return !slices.ContainsFunc(id, func(c byte) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' && c != '-'
	})
}

// health answers load balancers, which should look away from a gateway that drains.
func (g *Gateway) health(ctx *fasthttp.RequestCtx) *problem {
	if g.draining.Load() {
		return refuse(kindUnavailable, "The gateway is shutting down.")
	}
	writeJSON(ctx, struct {
		Status string `json:"status"`
	}{"ok"})
	return nil
}

// failed answers what a handler returned as an error and what never reached one: requests that are not HTTP as they should
// be. Texts are fixed, because the server's own would quote the request, key included.
func (g *Gateway) failed(c *fiber.Ctx, err error) error {
	ctx := c.Context()
	unread := len(ctx.Response.Header.Peek(headerRequestID)) == 0
	if unread {
		setRequestID(ctx)
		g.projects.Load().origins.general(ctx)
	}
	var p *problem
	if !errors.As(err, &p) {
		p = g.foreign(err)
	}
	p.write(ctx)
	if unread && isRequest(err) {
		g.metrics.request(routeOther, ctx.Response.StatusCode(), 0)
		g.logRequest(ctx, routeOther, 0)
	}
	return nil
}

// isRequest reports whether an error is about what a client sent. The others are of connections that ended, or over which
// nothing came.
func isRequest(err error) bool {
	var e *fiber.Error
	return errors.As(err, &e) && e.Code != fasthttp.StatusRequestTimeout && e.Code != fasthttp.StatusBadGateway
}

func (g *Gateway) foreign(err error) *problem {
	var e *fiber.Error
	if !errors.As(err, &e) {
		g.log.Error("request failed", "err", err)
		return refuse(kindInternal, "Something went wrong on our side.")
	}
	switch e.Code {
	case fasthttp.StatusRequestHeaderFieldsTooLarge:
		return overLimit(kindHeadersTooLarge, "The request line and its headers are larger than", limitHeaderBytes, int64(g.cfg.MaxHeaderBytes), "bytes")
	case fasthttp.StatusRequestTimeout:
		return refuse(kindTimeout, "The request came too slowly.")
	case fasthttp.StatusRequestEntityTooLarge:
		return g.bulkLimit.exceeded("The body is larger than")
	case fasthttp.StatusMethodNotAllowed:
		return refuse(kindMethodNotAllowed, "The path does not take this method.")
	default:
		return errNotHTTP
	}
}

var errNotHTTP = refuse(kindMalformed, "The request is not valid HTTP.")
