package stream

import (
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"sluice/gateway/body"
	"sluice/gateway/ingest"
)

// conn is one WebSocket connection. One goroutine reads its messages; each message is answered by one of its own.
type conn struct {
	hub *Hub
	// head is a copy of the request that asked for the connection: its key, origin and trace context are those of all
	// messages.
	head   fasthttp.Request
	remote net.Addr

	places  chan *fasthttp.RequestCtx // Window of them; a message under way has one, made when it is first needed
	pending sync.WaitGroup

	writing sync.Mutex // held while one answer is written

	mu      sync.Mutex
	ws      *websocket.Conn // nil before the connection is one of WebSocket
	stopped bool            // no further message is read
	refused bool            // the client may not send any more
}

func newConn(h *Hub, ctx *fasthttp.RequestCtx) *conn {
	c := &conn{hub: h, remote: ctx.RemoteAddr(), places: make(chan *fasthttp.RequestCtx, Window)}
	ctx.Request.Header.CopyTo(&c.head.Header)
	c.head.Header.SetMethod(fasthttp.MethodPost)
	c.head.Header.SetContentType("text/plain") // an event, an array, an object with events, or lines
	c.head.Header.Del(fasthttp.HeaderContentEncoding)
	c.head.SetRequestURI(string(ctx.RequestURI()))
	for range Window {
		c.places <- nil
	}
	return c
}

// serve reads messages until the client or the gateway ends the connection.
func (c *conn) serve(ws *websocket.Conn) {
	defer func() { _ = ws.Close() }()
	c.mu.Lock()
	c.ws = ws
	c.mu.Unlock()
	ws.SetPongHandler(func(string) error { c.extend(); return nil })
	defer c.ping()()
	end := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
	for seq := uint64(1); ; seq++ {
		place := <-c.places
		if !c.extend() {
			break
		}
		_, r, err := ws.NextReader()
		if err != nil {
			break
		}
		message, problem, err := c.hub.cfg.Ingester.ReadMessage(r)
		if err != nil {
			break
		}
		c.pending.Go(func() { c.places <- c.answer(place, seq, message, problem) })
		if problem != nil && problem.Kind == ingest.KindTooLarge {
			end = websocket.FormatCloseMessage(websocket.CloseMessageTooBig, "")
			break
		}
	}
	c.pending.Wait()
	if c.refused {
		end = websocket.FormatCloseMessage(websocket.ClosePolicyViolation, "the key may not send any more")
	}
	_ = ws.WriteControl(websocket.CloseMessage, end, time.Now().Add(time.Second))
}

// extend moves the time at which a silent client counts as gone. It returns false if no further message is to be read.
func (c *conn) extend() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.stopped && c.ws.SetReadDeadline(time.Now().Add(2*c.hub.cfg.Ping)) == nil
}

// stop ends the reading of messages.
func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if c.ws != nil {
		_ = c.ws.SetReadDeadline(time.Unix(1, 0))
	}
}

// ping sends pings until the returned function is called.
func (c *conn) ping() (stop func()) {
	var timer *time.Timer
	var mu sync.Mutex // the timer may fire before it is assigned
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(c.hub.cfg.Ping, func() {
		_ = c.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second))
		mu.Lock()
		defer mu.Unlock()
		timer.Reset(c.hub.cfg.Ping)
	})
	return func() { timer.Stop() }
}

// answer gives a message to the ingester and writes the answer. It returns the place for the next message.
func (c *conn) answer(
	ctx *fasthttp.RequestCtx, seq uint64, message *body.Buffer, problem *ingest.Problem,
) *fasthttp.RequestCtx {
	if ctx == nil {
		ctx = &fasthttp.RequestCtx{}
		ctx.Init(&c.head, c.remote, nil)
	}
	start := time.Now()
	c.ingest(ctx, message, problem)
	c.hub.cfg.Answered(ctx, time.Since(start))
	switch ctx.Response.StatusCode() {
	case fasthttp.StatusUnauthorized, fasthttp.StatusForbidden:
		c.mu.Lock()
		c.refused = true
		c.mu.Unlock()
		c.stop()
	}
	c.write(appendAnswer(nil, seq, &ctx.Response))
	ctx.Response.Reset()
	ctx.ResetUserValues()
	return ctx
}

// ingest takes the message as an event or as a bulk. A panic is answered 500, as the server answers one in a request.
func (c *conn) ingest(ctx *fasthttp.RequestCtx, message *body.Buffer, problem *ingest.Problem) {
	defer func() {
		if cause := recover(); cause != nil {
			c.hub.cfg.Panicked(cause)
			ingest.Refuse(ingest.KindInternal, "Something went wrong on our side.").Write(ctx)
		}
	}()
	protocol := c.hub.cfg.Single
	if problem != nil || isBulk(message.Bytes()) {
		protocol = c.hub.cfg.Bulk
	}
	c.hub.cfg.Ingester.IngestMessage(ctx, protocol, message, problem)
}

// write sends one answer. A client that does not take it ends the connection.
func (c *conn) write(answer []byte) {
	c.writing.Lock()
	defer c.writing.Unlock()
	err := c.ws.SetWriteDeadline(time.Now().Add(writeWait))
	if err == nil {
		err = c.ws.WriteMessage(websocket.TextMessage, answer)
	}
	if err != nil {
		c.stop()
	}
}

// appendAnswer appends the answer to a message: the JSON object that the response holds, with seq, status and, where
// the response has it, retry_after in seconds.
func appendAnswer(dst []byte, seq uint64, r *fasthttp.Response) []byte {
	dst = append(dst, `{"seq":`...)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, `,"http_status":`...)
	dst = strconv.AppendInt(dst, int64(r.StatusCode()), 10)
	if wait := r.Header.Peek(fasthttp.HeaderRetryAfter); len(wait) > 0 {
		dst = append(dst, `,"retry_after":`...)
		dst = append(dst, wait...)
	}
	dst = append(dst, ',')
	return append(dst, r.Body()[1:]...)
}
