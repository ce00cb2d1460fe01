package kafkatest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
)

// Lossy is a network that loses answers to produce requests. A lost answer arrives at this end, so that the broker has
// certainly done its work, and is thrown away with its connection.
type Lossy struct {
	Every int64        // each Every-th answer is lost; 0: none
	Lost  atomic.Int64 // how many were
	seen  atomic.Int64
}

// Dial connects to a broker through the network. It is for kafka.Config.Dial.
func (l *Lossy) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: conn, net: l, fresh: true}, nil
}

// lossyConn relies on kafka-go's one request at a time on a connection.
type lossyConn struct {
	net.Conn
	net            *Lossy
	fresh, produce bool
}

// Write is part of net.Conn.
func (c *lossyConn) Write(b []byte) (int, error) {
	if c.fresh && len(b) >= 6 { // size, then the API's key: 0 is Produce
		c.fresh, c.produce = false, binary.BigEndian.Uint16(b[4:]) == 0
	}
	return c.Conn.Write(b)
}

// Read is part of net.Conn.
func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.produce && c.net.Every > 0 && c.net.seen.Add(1)%c.net.Every == 0 {
		c.net.Lost.Add(1)
		_ = c.Close()
		return 0, io.ErrUnexpectedEOF
	}
	c.fresh, c.produce = true, false
	return n, err
}
