package kafkatest

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// Links lead to a site's brokers, each through a proxy that stands for the broker's process: it can be killed or
// stopped.
type Links struct {
	to []*Link // by the site's order of brokers
}

// Link is the way to one broker.
type Link struct {
	listener net.Listener
	broker   string // host:port
	stopped  atomic.Bool
	killed   atomic.Bool
	mu       sync.Mutex
	conns    []net.Conn
	running  sync.WaitGroup
}

// NewLinks makes links to a site's brokers, until the test ends.
func NewLinks(t testing.TB, s *Site) *Links {
	t.Helper()
	ls := &Links{}
	for _, addr := range s.Brokers {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		l := &Link{listener: listener, broker: addr}
		l.running.Go(l.accept)
		t.Cleanup(func() { l.Kill(); l.running.Wait() })
		ls.to = append(ls.to, l)
	}
	return ls
}

// Dial connects to the broker of an address through its link. It is for kafka.Config.Dial.
func (ls *Links) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	for _, l := range ls.to {
		if l.broker == address {
			return new(net.Dialer).DialContext(ctx, network, l.listener.Addr().String())
		}
	}
	return nil, fmt.Errorf("no link to %s", address)
}

// To returns the link to the i-th of the site's brokers.
func (ls *Links) To(i int) *Link { return ls.to[i] }

// Wait waits until a killed link's connections are closed.
func (l *Link) Wait() { l.running.Wait() }

func (l *Link) accept() {
	for {
		in, err := l.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", l.broker)
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

// Kill ends the process: its port and its connections are closed.
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
