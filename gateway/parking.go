package gateway

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// parkAfter is how long a keep-alive connection is idle before the server lets go of it.
const parkAfter = 2 * time.Second

// parking keeps idle connections. In the server each holds a buffer for the largest head, another for answers, and what the
// last request left behind; here a goroutine that waits for one byte. With that byte the connection goes back to the server.
//
// To the server a parked connection has ended: parking makes the server's read end as if the client had closed, and takes over
// when the server closes its side.
//
// Safe for concurrent use.
type parking struct {
	serve func(net.Conn) error // takes a connection until it ends or parks
	after time.Duration        // how long a connection is idle before it parks
	idle  time.Duration        // how long it may be idle in all

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	waking sync.WaitGroup // connections on their way back, which the server does not count yet
}

func newParking(server *fasthttp.Server, after time.Duration) *parking {
	p := &parking{serve: server.ServeConn, after: after, idle: server.IdleTimeout, conns: map[net.Conn]struct{}{}}
	server.ConnState = p.state
	return p
}

// count is how many connections are parked.
func (p *parking) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// close closes what is parked and whatever parks later. Afterwards the server counts every connection that is still open.
func (p *parking) close() {
	p.mu.Lock()
	p.closed = true
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.waking.Wait()
}

// wrap makes a new connection one that parks.
func (p *parking) wrap(conn net.Conn) net.Conn {
	if p.after >= p.idle {
		return conn
	}
	return &parkingConn{Conn: conn, lot: p}
}

// park keeps a connection until it has a byte, ends, or has been idle for too long.
func (p *parking) park(conn net.Conn, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = conn.Close()
		return
	}
	p.conns[conn] = struct{}{}
	go p.wait(conn, until)
}

func (p *parking) wait(conn net.Conn, until time.Time) {
	back := &parkingConn{Conn: conn, lot: p, hasFirst: true}
	err := conn.SetReadDeadline(until)
	if err == nil {
		_, err = io.ReadFull(conn, back.first[:])
	}
	p.mu.Lock()
	delete(p.conns, conn)
	wake := err == nil && !p.closed
	if wake {
		p.waking.Add(1)
		back.waking.Store(true)
	}
	p.mu.Unlock()
	if !wake {
		_ = conn.Close()
		return
	}
	_ = p.serve(back)
}

// state is the server's hook: it says what a connection is about to do.
func (p *parking) state(conn net.Conn, state fasthttp.ConnState) {
	c, ok := conn.(*parkingConn)
	if !ok {
		return
	}
	switch state {
	case fasthttp.StateIdle:
		c.idle = true
	case fasthttp.StateActive:
		c.idle = false
		c.arrived()
	default:
	}
}

// parkingConn is a connection in the server.
type parkingConn struct {
	net.Conn
	lot *parking

	// Of the goroutine that serves the connection.
	idle     bool
	until    time.Time // when the idle time ends
	first    [1]byte   // what ended the parking
	hasFirst bool

	// Of whoever closes the connection, too: the server does so from another goroutine when it shuts down.
	stage  atomic.Int32 // serving, parks or parked
	waking atomic.Bool  // counted in lot.waking
}

// Stages of a connection in the server.
const (
	serving int32 = iota
	parks         // the server is to think that the connection ended; whoever closes it parks it
	parked        // the connection is no longer this one's to close
)

// arrived says that the server counts the connection.
func (c *parkingConn) arrived() {
	if c.waking.CompareAndSwap(true, false) {
		c.lot.waking.Done()
	}
}

// SetReadDeadline is part of net.Conn. While the connection is idle the server sets the end of the idle time, and gets the time
// to park.
func (c *parkingConn) SetReadDeadline(t time.Time) error {
	if c.idle {
		c.until = t
		t = t.Add(c.lot.after - c.lot.idle)
	}
	return c.Conn.SetReadDeadline(t)
}

// Read is part of net.Conn.
func (c *parkingConn) Read(b []byte) (int, error) {
	if c.hasFirst && len(b) > 0 {
		c.hasFirst = false
		return copy(b, c.first[:]), nil
	}
	n, err := c.Conn.Read(b)
	if err != nil && c.idle && errors.Is(err, os.ErrDeadlineExceeded) {
		c.stage.CompareAndSwap(serving, parks)
		return 0, io.EOF
	}
	return n, err
}

// Close is part of net.Conn.
func (c *parkingConn) Close() error {
	defer c.arrived()
	switch {
	case c.stage.CompareAndSwap(parks, parked):
		c.lot.park(c.Conn, c.until)
		return nil
	case c.stage.Load() == parked:
		return nil
	}
	return c.Conn.Close()
}
