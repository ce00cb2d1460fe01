package e2e

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gate stands between a consumer and ClickHouse. While it is shut it keeps the inserts that come, also if their sender
// dies. They arrive when it is opened.
type gate struct {
	listener net.Listener
	to       string
	all      sync.WaitGroup
	held     atomic.Int64 // inserts that were kept
	arrived  atomic.Int64 // of these, those that ClickHouse has answered since, or will not get any more

	mu    sync.Mutex
	conns []net.Conn
	shut  chan struct{} // nil: it is open
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g := &gate{listener: l, to: to}
	g.all.Go(g.accept)
	t.Cleanup(func() {
		_ = l.Close()
		g.open()
		g.mu.Lock()
		for _, c := range g.conns {
			_ = c.Close()
		}
		g.mu.Unlock()
		g.all.Wait()
	})
	return g
}

func (g *gate) addr() string { return g.listener.Addr().String() }

// close keeps the inserts that come from now on.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

// open lets them arrive.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) accept() {
	for {
		client, err := g.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", g.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		g.mu.Lock()
		g.conns = append(g.conns, client, server)
		g.mu.Unlock()
		c := &gated{gate: g, client: client, server: server}
		g.all.Go(c.requests)
		g.all.Go(c.answers)
	}
}

// gated is one connection of a consumer.
type gated struct {
	*gate

	client, server net.Conn
	sent           atomic.Int64 // by the client since the server last said something
	kept           atomic.Bool  // an insert is, or was and is not answered yet
}

// block is more than a question has, or the statement of an insert.
const block = 5000

// requests copies what the client sends. What is kept arrives although the client has gone.
func (c *gated) requests() {
	b := make([]byte, 256<<10)
	for {
		n, err := c.client.Read(b)
		if n > 0 && c.sent.Add(int64(n)) > block {
			c.keep()
		}
		if n > 0 {
			if _, werr := c.server.Write(b[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil {
			patience := 10 * time.Second
			if c.sent.Load() == 0 {
				patience = 0 // nothing is under way
			}
			_ = c.server.SetReadDeadline(time.Now().Add(patience))
			return
		}
	}
}

// keep waits while the gate is shut.
func (c *gated) keep() {
	c.mu.Lock()
	shut := c.shut
	c.mu.Unlock()
	if shut == nil {
		return
	}
	if !c.kept.Swap(true) {
		c.held.Add(1)
	}
	<-shut
}

// answers copies what the server says. It reads the answer to an insert whose client has gone.
func (c *gated) answers() {
	defer c.client.Close() //nolint:errcheck // it may be closed already
	defer c.server.Close() //nolint:errcheck // as above
	b := make([]byte, 64<<10)
	for {
		n, err := c.server.Read(b)
		c.sent.Store(0)
		if c.kept.Swap(false) {
			c.arrived.Add(1)
		}
		if err != nil {
			return
		}
		_, _ = c.client.Write(b[:n])
	}
}
