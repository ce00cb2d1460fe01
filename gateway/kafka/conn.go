package kafka

import (
	"context"
	"errors"
	"net"
	"time"
)

// connectTimeout bounds how long a broker may take to accept a connection, TLS and login included.
const connectTimeout = 3 * time.Second

// errDeadConn: the broker had closed the connection before anything of the request was written.
var errDeadConn = errors.New("the broker had closed the connection")

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// dialAlive makes every connection of dial an aliveConn.
func dialAlive(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &aliveConn{Conn: conn, fresh: true}, nil
	}
}

// aliveConn is a connection that checks, before a request is written to it, whether the broker has closed it. kafka-go
// keeps idle connections and does not read from them. Without the check the first batch after a broker's end would be
// written into a dead connection, its fate would be unknown, and its lane would be stuck with it until there is a new
// leader. aliveConn relies on kafka-go's one request at a time on a connection. It costs one system call a request.
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
