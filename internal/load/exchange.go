package load

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"
)

// exchange is one worker's connection and buffers. fasthttp writes and parses the HTTP messages. The worker owns its
// connection: a client with a pool retries and times out by its own rules, but a run must know every attempt. fasthttp
// costs a fraction of net/http's CPU, and the sender often shares its cores with the gateway under test.
type exchange struct {
	end  *endpoint
	conn net.Conn
	in   *bufio.Reader
	out  *bufio.Writer
	req  fasthttp.Request
	resp fasthttp.Response
	zip  *gzip.Writer
	buf  bytes.Buffer
}

// reply is one answer. Its body is valid until the next post.
type reply struct {
	status     int
	retryAfter time.Duration // 0: no Retry-After
	accepted   string        // X-Accepted-Events
	rejected   string        // X-Rejected-Events
	body       []byte
}

// maxAnswer bounds an answer, in bytes. A hundred errors and the retry ranges of the largest bulk need much less.
const maxAnswer = 16 << 20

func newExchange(end *endpoint) *exchange {
	x := &exchange{end: end, in: bufio.NewReaderSize(nil, 16<<10), out: bufio.NewWriterSize(nil, 64<<10)}
	x.req.SetRequestURI(end.uri)
	x.req.Header.SetMethod(fasthttp.MethodPost)
	x.req.Header.SetContentType("application/json")
	x.req.Header.SetUserAgent("sluice-load")
	for name, value := range end.header {
		x.req.Header.Set(name, value)
	}
	if end.header["Content-Encoding"] == "gzip" {
		x.zip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails only for an invalid level
	}
	return x
}

// post sends body and returns the answer. After an error other than errNotSent, the gateway may or may not have the
// body.
func (x *exchange) post(ctx context.Context, body []byte) (reply, error) {
	body, err := x.encode(body)
	if err != nil {
		return reply{}, err
	}
	if x.conn == nil {
		if x.conn, err = x.end.dial(ctx); err != nil {
			return reply{}, err
		}
		x.in.Reset(x.conn)
		x.out.Reset(x.conn)
	}
	if err := x.talk(body); err != nil {
		x.close()
		return reply{}, err
	}
	if x.resp.ConnectionClose() {
		x.close()
	}
	h := &x.resp.Header
	return reply{
		status:     x.resp.StatusCode(),
		retryAfter: retryAfter(h.Peek("Retry-After")),
		accepted:   string(h.Peek("X-Accepted-Events")),
		rejected:   string(h.Peek("X-Rejected-Events")),
		body:       x.resp.Body(),
	}, nil
}

func (x *exchange) talk(body []byte) error {
	if err := x.conn.SetDeadline(time.Now().Add(x.end.timeout)); err != nil {
		return fmt.Errorf("set the deadline: %w", err)
	}
	x.req.SetBodyRaw(body)
	if err := x.req.Write(x.out); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := x.out.Flush(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if err := x.resp.ReadLimitBody(x.in, maxAnswer); err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return nil
}

func (x *exchange) encode(body []byte) ([]byte, error) {
	if x.zip == nil {
		return body, nil
	}
	x.buf.Reset()
	x.zip.Reset(&x.buf)
	if _, err := x.zip.Write(body); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := x.zip.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return x.buf.Bytes(), nil
}

// close closes the connection. The next post opens another.
func (x *exchange) close() {
	if x.conn != nil {
		x.end.hangUp(x.conn)
		x.conn = nil
	}
}

// retryAfter parses the header in seconds, the only form that a gateway sends. Any other form counts as absent.
func retryAfter(value []byte) time.Duration {
	seconds, err := strconv.ParseUint(string(value), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
