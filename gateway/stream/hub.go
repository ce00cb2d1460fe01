package stream

import (
	"cmp"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"sluice/gateway/ingest"
)

// Window is how many messages of a connection may be under way at once.
const Window = 8

// Config configures a Hub.
type Config struct {
	// Ingester takes the messages.
	Ingester *ingest.Ingester
	// Single and Bulk are the protocols of a message that is an event and of one that is a bulk. Their answers are
	// JSON objects.
	Single, Bulk *ingest.Protocol
	// Answered is called for each answered message, with its answer in ctx.Response and the time that it took. It must
	// be safe for concurrent use.
	Answered func(ctx *fasthttp.RequestCtx, took time.Duration)
	// Panicked is called if a message makes its reader panic. The message is answered 500.
	Panicked func(cause any)
	// Ping is how often an idle connection gets a ping. A client that answers none within twice that time is gone. 0 is
	// the default of 30 s, which is less than the idle time of the usual load balancers.
	Ping time.Duration
}

const (
	defaultPing = 30 * time.Second
	// writeWait is how long an answer may take to get into the connection's buffers.
	writeWait = 30 * time.Second
)

// Hub holds the WebSocket connections of a gateway. Safe for concurrent use.
type Hub struct {
	cfg      Config
	upgrader websocket.FastHTTPUpgrader

	mu       sync.Mutex
	conns    map[*conn]struct{}
	draining bool
	open     sync.WaitGroup
}

// New returns a hub without connections.
func New(cfg Config) *Hub {
	cfg.Ping = cmp.Or(cfg.Ping, defaultPing)
	return &Hub{
		cfg: cfg, conns: map[*conn]struct{}{},
		upgrader: websocket.FastHTTPUpgrader{
			ReadBufferSize: 4 << 10, WriteBufferSize: 1 << 10, WriteBufferPool: &sync.Pool{},
			CheckOrigin: func(*fasthttp.RequestCtx) bool { return true }, // the project's origins are checked before
			Error:       func(*fasthttp.RequestCtx, int, error) {},       // Upgrade answers
		},
	}
}

var (
	errNoUpgrade = ingest.Refuse(ingest.KindMalformed, "This path takes WebSocket connections, version 13, and nothing else.")
	errDraining  = ingest.Refuse(ingest.KindUnavailable, "The gateway is shutting down.")
)

// Upgrade answers a request for a WebSocket connection: 101, or the refusal that a request with events would get.
func (h *Hub) Upgrade(ctx *fasthttp.RequestCtx) *ingest.Problem {
	if !h.cfg.Ingester.IngestHead(ctx, h.cfg.Bulk) {
		return nil // answered
	}
	c := newConn(h, ctx)
	if !h.add(c) {
		return errDraining
	}
	err := h.upgrader.Upgrade(ctx, func(ws *websocket.Conn) {
		defer h.remove(c)
		c.serve(ws)
	})
	if err != nil {
		h.remove(c)
		return errNoUpgrade
	}
	return nil
}

func (h *Hub) add(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return false
	}
	h.conns[c] = struct{}{}
	h.open.Add(1)
	return true
}

func (h *Hub) remove(c *conn) {
	h.mu.Lock()
	delete(h.conns, c)
	h.mu.Unlock()
	h.open.Done()
}

// Open returns how many connections are open.
func (h *Hub) Open() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Drain ends every connection: no further message is read, those under way are answered, and the connection closes with
// status 1001. Drain returns when all are closed. New connections are refused.
func (h *Hub) Drain() {
	h.mu.Lock()
	h.draining = true
	for c := range h.conns {
		c.stop()
	}
	h.mu.Unlock()
	h.open.Wait()
}
