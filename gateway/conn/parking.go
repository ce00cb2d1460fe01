package conn

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

// parking holds idle connections outside the server. Inside, each one holds a buffer for the largest head, another
// for answers, and the memory of its last request. A parked one holds a goroutine that waits for one byte. That byte
// returns the connection to the server.
//
// The server believes that a parked connection has ended: parking ends the server's read as if the client had closed,
// and takes the connection over when the server closes it.
//
// Safe for concurrent use.
type parking struct {
	serve func(net.Conn) error // serves a connection until it ends or parks
	after time.Duration        // idle time before a connection parks
	idle  time.Duration        // idle time before a connection closes, parked or not

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	waking sync.WaitGroup // connections on their way back that the server does not count yet
}

func newParking(server *fasthttp.Server, after time.Duration) *parking {
	p := &parking{serve: server.ServeConn, after: after, idle: server.IdleTimeout, conns: map[net.Conn]struct{}{}}
	server.ConnState = p.state
	return p
}

// count returns how many connections are parked.
func (p *parking) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

// close closes the parked connections and all that park later. Afterwards the server counts every open connection.
func (p *parking) close() {
	p.mu.Lock()
	p.closed = true
	for conn := range p.conns {
		_ = conn.Close()
	}
	clear(p.conns)
	p.mu.Unlock()
	p.waking.Wait()
}

// wrap returns a connection that parks. A connection that would close before it parks stays as it is.
func (p *parking) wrap(conn net.Conn) net.Conn {
	if p.after >= p.idle {
		return conn
	}
	return &parkingConn{Conn: conn, lot: p}
}

// park holds a connection until a byte arrives, the client closes it, or its idle time ends.
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

// state is the server's ConnState hook.
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

	// The goroutine that serves the connection uses these.
	idle     bool
	until    time.Time // end of the idle time
	first    [1]byte   // the byte that ended the parking
	hasFirst bool
	reads    deadline
	writes   time.Time // write deadline in force

	// The goroutine that closes the connection uses these too. The server closes from another one when it shuts down.
	stage  atomic.Int32 // serving, parks or parked
	waking atomic.Bool  // counted in lot.waking
}

// Stages of a connection in the server.
const (
	serving int32 = iota
	parks         // the server sees an end; Close parks the connection
	parked        // the parking owns the connection; Close does nothing
)

// arrived tells the parking that the server counts the connection.
func (c *parkingConn) arrived() {
	if c.waking.CompareAndSwap(true, false) {
		c.lot.waking.Done()
	}
}

// SetReadDeadline implements net.Conn. The deadline of an idle connection is the end of its idle time. Its read ends
// earlier, when it is time to park.
func (c *parkingConn) SetReadDeadline(t time.Time) error {
	if c.idle {
		c.until = t
		t = t.Add(c.lot.after - c.lot.idle)
	}
	if c.reads.wait(t) {
		return nil
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline implements net.Conn. The server calls it when the connection leaves it, for a protocol other than HTTP.
func (c *parkingConn) SetDeadline(t time.Time) error {
	c.reads = deadline{atOnce: true}
	return c.Conn.SetDeadline(t)
}

// SetWriteDeadline implements net.Conn. It keeps a deadline that is up to a second earlier than t: moving a deadline
// costs as much as a small part of a request.
func (c *parkingConn) SetWriteDeadline(t time.Time) error {
	if c.reads.atOnce || t.IsZero() {
		return c.Conn.SetWriteDeadline(t)
	}
	if early := t.Sub(c.writes); early >= 0 && early <= time.Second {
		return nil
	}
	c.writes = t
	return c.Conn.SetWriteDeadline(t)
}

// Read implements net.Conn.
func (c *parkingConn) Read(b []byte) (int, error) {
	if c.hasFirst && len(b) > 0 {
		c.hasFirst = false
		return copy(b, c.first[:]), nil
	}
	slack := time.Duration(0)
	if c.idle {
		slack = c.lot.after / 8 // a connection may park that much earlier
	}
	if t, due := c.reads.due(slack); due {
		if err := c.Conn.SetReadDeadline(t); err != nil {
			return 0, err
		}
	}
	n, err := c.Conn.Read(b)
	if err != nil && c.idle && errors.Is(err, os.ErrDeadlineExceeded) {
		c.stage.CompareAndSwap(serving, parks)
		return 0, io.EOF
	}
	return n, err
}

// Close implements net.Conn.
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
