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

	"sluice/internal/event"
)

// The public paths.
const (
	pathEvents  = "/api/v1/events"
	pathBulk    = "/api/v1/events/bulk"
	pathOpenAPI = "/openapi.json"
	pathHealth  = "/healthz"
)

// What a 413 calls the limits.
const (
	limitEventBytes  = "max_event_bytes"
	limitBulkBytes   = "max_bulk_bytes"
	limitHeaderBytes = "max_header_bytes"
	limitRate        = "rate_limit"
	limitTopicBatch  = "topic_batch_bytes" // the topic's max.message.bytes
)

// What the figures call the limits that keep the gateway itself from harm.
const (
	limitFailedKeys    = "failed_keys"
	limitRequests      = "inflight_requests"
	limitBodyBytes     = "body_bytes"
	limitInflightBytes = "inflight_bytes"
	limitQueueWait     = "queue_wait"
	limitConnections   = "connections"
)

const headerRequestID = "X-Request-Id"

// routes is the whole public surface.
func (g *Gateway) routes() *fiber.App {
	app := fiber.New(fiber.Config{
		ErrorHandler:                 func(c *fiber.Ctx, err error) error { return g.failed(c, err) },
		CaseSensitive:                true,
		StrictRouting:                true,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true,
		StreamRequestBody:            true, // the key is checked before the body is read
		BodyLimit:                    g.cfg.MaxBulkBytes,
		ReadTimeout:                  bodySilence,
		WriteTimeout:                 30 * time.Second,
		IdleTimeout:                  g.cfg.HTTPIdleTimeout,
		ReadBufferSize:               4 << 10, // the largest request line with headers
		WriteBufferSize:              1 << 10, // a usual answer; each open connection holds one
	})
	app.Post(pathEvents, g.single)
	app.Post(pathBulk, g.bulk)
	app.Get(pathOpenAPI, openAPI)
	app.Get(pathHealth, g.health)
	app.Use(func(c *fiber.Ctx) error { return g.elsewhere(c.Context()) })

	server := app.Server()
	server.CloseOnShutdown = true
	server.SecureErrorLogMessage = true
	server.ExpectHandler = g.expect
	server.HeaderReceived = g.headerReceived
	inner := app.Handler()
	server.Handler = func(ctx *fasthttp.RequestCtx) { g.around(ctx, inner) }
	return app
}

// around is what every request passes: its id, what browsers are told, its figures.
func (g *Gateway) around(ctx *fasthttp.RequestCtx, inner fasthttp.RequestHandler) {
	start := time.Now()
	setRequestID(ctx)
	welcome := g.projects.Load().origins.answer(ctx)
	switch {
	case !framed(&ctx.Request.Header):
		unframed(ctx)
	case ctx.IsOptions():
		g.options(ctx, welcome)
	case slices.Contains(fiber.DefaultMethods, string(ctx.Method())):
		g.guarded(ctx, inner)
	default:
		g.elsewhere(ctx).write(ctx)
	}
	if isSurplus(ctx) {
		ctx.SetConnectionClose()
	}
	g.metrics.request(routeName(ctx.URI().PathOriginal()), ctx.Response.StatusCode(), time.Since(start))
}

// guarded makes a panic one request's 500. The bytes that strangers send go through decoders of many authors, and none of
// them should be able to end the process.
func (g *Gateway) guarded(ctx *fasthttp.RequestCtx, inner fasthttp.RequestHandler) {
	defer func() {
		if cause := recover(); cause != nil {
			g.log.Error("handler panicked", "panic", cause, "stack", string(debug.Stack()))
			ctx.SetConnectionClose() // how far the body was read is not known
			refuse(kindInternal, "Something went wrong on our side.").write(ctx)
		}
	}()
	inner(ctx)
}

// headerReceived lets a body that is announced as too large through to the handler, which refuses it, with next to none of it
// read: by default the server would first wait for several kilobytes.
func (g *Gateway) headerReceived(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if h.ContentLength() > g.cfg.MaxBulkBytes {
		return fasthttp.RequestConfig{MaxRequestBodySize: 1}
	}
	return fasthttp.RequestConfig{}
}

// expect answers "Expect: 100-continue": a client that announces far too much need not send it.
func (g *Gateway) expect(ctx *fasthttp.RequestCtx) int {
	if ctx.Request.Header.ContentLength() <= g.cfg.MaxBulkBytes {
		return fasthttp.StatusContinue
	}
	g.around(ctx, func(ctx *fasthttp.RequestCtx) {
		path := string(ctx.URI().PathOriginal())
		if path != pathEvents && path != pathBulk || !ctx.IsPost() {
			g.elsewhere(ctx).write(ctx)
			return
		}
		g.handle(ctx, func(*fasthttp.RequestCtx, *stamp) *problem {
			return tooLarge(limitBulkBytes, "The body is larger than the limit.")
		})
	})
	return ctx.Response.StatusCode()
}

func routeName(path []byte) string {
	switch string(path) {
	case pathEvents:
		return "events"
	case pathBulk:
		return "bulk"
	case pathOpenAPI:
		return "openapi"
	case pathHealth:
		return "health"
	default:
		return "other"
	}
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

// health is for load balancers: they should look away from a gateway that drains.
func (g *Gateway) health(c *fiber.Ctx) error {
	if g.draining.Load() {
		return refuse(kindUnavailable, "The gateway is shutting down.")
	}
	return c.JSON(fiber.Map{"status": "ok"})
}

// methods is what each path takes, beside OPTIONS, which all take.
var methods = map[string]string{
	pathEvents:  fasthttp.MethodPost,
	pathBulk:    fasthttp.MethodPost,
	pathOpenAPI: getAndHead,
	pathHealth:  getAndHead,
}

const getAndHead = fasthttp.MethodGet + ", " + fasthttp.MethodHead

// elsewhere refuses every path and method that is not ours.
func (g *Gateway) elsewhere(ctx *fasthttp.RequestCtx) *problem {
	discardBody(ctx, g.cfg.MaxBulkBytes)
	if allow, known := methods[string(ctx.URI().PathOriginal())]; known {
		p := refuse(kindMethodNotAllowed, "The path does not take this method; Allow lists those that it does.")
		p.allow = allow
		return p
	}
	return refuse(kindNotFound, "There is nothing at this path.")
}

// failed answers what a handler returned as an error and what never reached one: requests that are not HTTP as they should
// be. Texts are fixed, because the server's own would quote the request, key included.
func (g *Gateway) failed(c *fiber.Ctx, err error) error {
	ctx := c.Context()
	if len(ctx.Response.Header.Peek(headerRequestID)) == 0 {
		setRequestID(ctx)
		g.projects.Load().origins.general(ctx)
	}
	var p *problem
	if !errors.As(err, &p) {
		p = g.foreign(err)
	}
	p.write(ctx)
	return nil
}

func (g *Gateway) foreign(err error) *problem {
	var e *fiber.Error
	if !errors.As(err, &e) {
		g.log.Error("request failed", "err", err)
		return refuse(kindInternal, "Something went wrong on our side.")
	}
	switch e.Code {
	case fasthttp.StatusRequestHeaderFieldsTooLarge:
		p := refuse(kindHeadersTooLarge, "The request line and its headers are too large.")
		p.limit = limitHeaderBytes
		return p
	case fasthttp.StatusRequestTimeout:
		return refuse(kindTimeout, "The request came too slowly.")
	case fasthttp.StatusRequestEntityTooLarge:
		return tooLarge(limitBulkBytes, "The body is larger than the limit.")
	case fasthttp.StatusMethodNotAllowed:
		return refuse(kindMethodNotAllowed, "The path does not take this method.")
	default:
		return errNotHTTP
	}
}
