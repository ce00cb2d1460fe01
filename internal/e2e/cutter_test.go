package e2e

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// cutter stands between the consumer and ClickHouse. When it is armed, it lets the next insert through and cuts the connection when
// its answer comes.
type cutter struct {
	listener net.Listener
	to       string
	armed    atomic.Bool
	cuts     atomic.Int64
	all      sync.WaitGroup
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, to: to}
	c.all.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.all.Wait()
	})
	return c
}

func (c *cutter) addr() string { return c.listener.Addr().String() }
func (c *cutter) arm()         { c.armed.Store(true) }

func (c *cutter) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		var sent atomic.Int64 // by the client since the server last said something
		c.all.Go(func() { c.pass(client, server, func(n int) bool { sent.Add(int64(n)); return true }) })
		c.all.Go(func() {
			c.pass(server, client, func(int) bool {
				const block = 5000 // more than a question has, or the statement of an insert
				if sent.Swap(0) > block && c.armed.Swap(false) {
					c.cuts.Add(1)
					return false
				}
				return true
			})
		})
	}
}

// pass copies until either side closes, or may says no.
func (c *cutter) pass(from, to net.Conn, may func(n int) bool) {
	defer from.Close() //nolint:errcheck // it may be closed already
	defer to.Close()   //nolint:errcheck // as above
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if n > 0 && !may(n) || err != nil {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}
