package certificate

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// Reasons why handshakes fail.
const (
	ReasonPlainHTTP = "plain_http" // the client speaks HTTP without TLS
	ReasonTimeout   = "timeout"    // the client did not finish in time
	ReasonGone      = "gone"       // the client closed the connection, often after it refused the certificate
	ReasonProtocol  = "protocol"   // no common version, suite or protocol, or no TLS at all
)

// Reasons lists the reasons why handshakes fail.
var Reasons = []string{ReasonPlainHTTP, ReasonTimeout, ReasonGone, ReasonProtocol}

// Listener returns a listener whose connections speak TLS. Accept does not wait for handshakes.
func (s *Source) Listener(l net.Listener) net.Listener {
	return &listener{Listener: l, source: s, config: s.config()}
}

type listener struct {
	net.Listener
	source *Source
	config *tls.Config
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	raw := &rawConn{Conn: c}
	return &conn{Conn: tls.Server(raw, l.config), raw: raw, source: l.source}, nil
}

// rawConn is the connection under TLS.
type rawConn struct {
	net.Conn
	closing atomic.Bool
}

// goodbye is how long the last record, which tells the client that the connection ends, may take into the socket's
// buffer. There is room, unless the client has not read for long. crypto/tls waits five seconds, which connections
// that are closed one after the other would add up.
const goodbye = 50 * time.Millisecond

// SetWriteDeadline implements net.Conn.
func (c *rawConn) SetWriteDeadline(t time.Time) error {
	if most := time.Now().Add(goodbye); c.closing.Load() && t.After(most) {
		t = most
	}
	return c.Conn.SetWriteDeadline(t)
}

// conn is a connection that speaks TLS. It shakes hands at its first read, in the goroutine that serves it. To the
// server its ends look like those of a plain connection: without that, fasthttp would answer them as bad requests.
//
// conn hides the methods of *tls.Conn. fasthttp would find them and shake hands by rules of its own, without a bound on
// the whole handshake.
type conn struct {
	net.Conn // a *tls.Conn
	raw      *rawConn
	source   *Source

	ready    bool      // the handshake is done
	deadline time.Time // for reads, as the server set it
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return c.Conn.SetReadDeadline(t)
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if !c.ready {
		if !c.shakeHands() {
			return 0, io.EOF
		}
		c.ready = true
	}
	n, err := c.Conn.Read(b)
	var network net.Error
	if err != nil && !errors.As(err, &network) {
		err = io.EOF // also where the client ends the connection without saying so in TLS
	}
	return n, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.raw.closing.Store(true)
	return c.Conn.Close()
}

// shakeHands reports whether the handshake succeeded. The deadline bounds all of it, and its writes as well as its
// reads.
func (c *conn) shakeHands() bool {
	until := time.Now().Add(c.source.cfg.Handshake)
	if err := c.Conn.SetDeadline(until); err != nil {
		return false
	}
	err := c.Conn.(*tls.Conn).HandshakeContext(context.Background())
	if err == nil {
		err = c.Conn.SetWriteDeadline(time.Time{})
		if err == nil {
			err = c.Conn.SetReadDeadline(c.deadline)
		}
		return err == nil
	}
	var record tls.RecordHeaderError
	plain := errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader)
	if c.source.cfg.Failed != nil {
		c.source.cfg.Failed(reason(err, plain))
	}
	if plain {
		refusePlain(c.raw.Conn)
	}
	return false
}

func reason(err error, plain bool) string {
	switch {
	case plain:
		return ReasonPlainHTTP
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
		return ReasonGone
	}
	return ReasonProtocol
}

// isReset reports whether an error is about the connection, or is the client's refusal.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "read" || op.Op == "write" || op.Op == "remote error")
}

// looksLikeHTTP reports whether a connection begins with the method of a request.
func looksLikeHTTP(header [5]byte) bool {
	for _, method := range []string{
		"GET ", "HEAD ", "POST ", "PUT ", "PATCH", "DELET", "OPTIO", "CONNE", "TRACE", "PRI *",
	} {
		if bytes.HasPrefix(header[:], []byte(method)) {
			return true
		}
	}
	return false
}

// plainAnswer answers a request that came without TLS, as the gateway answers other requests that it cannot read.
func plainAnswer() string {
	id := rand.Text()
	body := `{"error":"This port speaks HTTPS only: the URL must begin with https://.","code":"malformed",` +
		`"retryable":false,"request_id":"` + id + `"}`
	return "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nX-Request-Id: " + id +
		"\r\nConnection: close\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body
}

// refusePlain answers plain HTTP. What the client has sent is read for a moment: a connection that closes with unread
// bytes is reset, and the client would not see the answer.
func refusePlain(c net.Conn) {
	const linger, most = time.Second, 64 << 10
	if err := c.SetDeadline(time.Now().Add(linger)); err != nil {
		return
	}
	if _, err := io.WriteString(c, plainAnswer()); err != nil {
		return
	}
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, c, most)
}
