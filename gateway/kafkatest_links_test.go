package gateway

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// links are the connections to a cluster's brokers, each through a process of its own as it were: it can be killed or stopped.
type links struct {
	t  *testing.T
	to map[string]*link // by the broker's address
}

type link struct {
	listener net.Listener
	broker   string
	stopped  atomic.Bool
	killed   atomic.Bool
	mu       sync.Mutex
	conns    []net.Conn
	running  sync.WaitGroup
}

// linked makes links to a site's brokers.
func linked(t *testing.T, s *site) *links {
	t.Helper()
	ls := &links{t: t, to: map[string]*link{}}
	for _, addr := range s.brokers {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		l := &link{listener: listener, broker: addr}
		l.running.Go(l.accept)
		t.Cleanup(func() { l.kill(); l.running.Wait() })
		ls.to[addr] = l
	}
	return ls
}

// dial connects to a broker through its link.
func (ls *links) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, ls.to[address].listener.Addr().String())
}

// of is the link to the i-th broker.
func (ls *links) of(s *site, i int) *link { return ls.to[s.brokers[i]] }

// gone waits until a killed link's connections are closed.
func (l *link) gone() { l.running.Wait() }

func (l *link) accept() {
	for {
		in, err := l.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.broker) //nolint:noctx // loopback
		if err != nil {
			_ = in.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, in, out)
		l.mu.Unlock()
		if l.killed.Load() {
			l.kill()
		}
		l.running.Go(func() { l.pass(in, out) })
		l.running.Go(func() { l.pass(out, in) })
	}
}

func (l *link) pass(to, from net.Conn) {
	var b [64 << 10]byte
	for {
		n, err := from.Read(b[:])
		if l.stopped.Load() {
			_, _ = io.Copy(io.Discard, from) // a stopped process answers nothing until it is closed
			return
		}
		if err == nil {
			_, err = to.Write(b[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

// kill ends the process: its port is closed, and its connections.
func (l *link) kill() {
	l.killed.Store(true)
	_ = l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// stop makes the process hang: connections are accepted, and nothing is answered.
func (l *link) stop() { l.stopped.Store(true) }
