package kafka

import (
	"context"
	"errors"
	"net"
	"time"
)

// connectTimeout bounds how long a broker may take to accept a connection, TLS and login included.
const connectTimeout = 3 * time.Second

// errDeadConn: the other end had closed the connection before anything of the request was written.
var errDeadConn = errors.New("the broker had closed the connection")

// dialAlive connects to a broker, without TLS and login.
func dialAlive(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &aliveConn{Conn: conn, fresh: true}, nil
	}
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// aliveConn is a connection that looks whether the other end has closed it before a request is written to it. kafka-go keeps idle
// connections and does not read from them: without this, the first batch after a broker's end would be written into a dead
// connection, nobody would know what became of it, and its lane would be stuck with it until there is a new leader. It relies
// on kafka-go's one request at a time on a connection, and costs a system call a request.
type aliveConn struct {
	net.Conn
	fresh bool // nothing was written since the last answer
}

// Write is part of net.Conn.
func (c *aliveConn) Write(b []byte) (int, error) {
	if c.fresh && closedByPeer(c.Conn) {
		return 0, errDeadConn
	}
	c.fresh = false
	return c.Conn.Write(b)
}

// Read is part of net.Conn.
func (c *aliveConn) Read(b []byte) (int, error) {
	c.fresh = true
	return c.Conn.Read(b)
}
