package kafkatest

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
	To map[string]*Link // by the broker's address
}

type Link struct {
	listener net.Listener
	Broker   string
	stopped  atomic.Bool
	killed   atomic.Bool
	mu       sync.Mutex
	conns    []net.Conn
	running  sync.WaitGroup
}

// Linked makes links to a site's brokers.
func Linked(t *testing.T, s *Site) *links {
	t.Helper()
	ls := &links{t: t, To: map[string]*Link{}}
	for _, addr := range s.Brokers {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		l := &Link{listener: listener, Broker: addr}
		l.running.Go(l.accept)
		t.Cleanup(func() { l.Kill(); l.running.Wait() })
		ls.To[addr] = l
	}
	return ls
}

// Dial connects to a broker through its link.
func (ls *links) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, ls.To[address].listener.Addr().String())
}

// Of is the link to the i-th broker.
func (ls *links) Of(s *Site, i int) *Link { return ls.To[s.Brokers[i]] }

// Gone waits until a killed link's connections are closed.
func (l *Link) Gone() { l.running.Wait() }

func (l *Link) accept() {
	for {
		in, err := l.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.Broker) //nolint:noctx // loopback
		if err != nil {
			_ = in.Close()
			continue
		}
		l.mu.Lock()
		l.conns = append(l.conns, in, out)
		l.mu.Unlock()
		if l.killed.Load() {
			l.Kill()
		}
		l.running.Go(func() { l.pass(in, out) })
		l.running.Go(func() { l.pass(out, in) })
	}
}

func (l *Link) pass(to, from net.Conn) {
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

// Kill ends the process: its port is closed, and its connections.
func (l *Link) Kill() {
	l.killed.Store(true)
	_ = l.listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.conns {
		_ = c.Close()
	}
}

// Stop makes the process hang: connections are accepted, and nothing is answered.
func (l *Link) Stop() { l.stopped.Store(true) }
