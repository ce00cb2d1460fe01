package kafkatest

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	late     atomic.Int64 // by how much answers are late, in nanoseconds
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
		l.running.Go(func() { l.pass(in, out, &l.late) })
		l.running.Go(func() { l.pass(out, in, &atomic.Int64{}) })
	}
}

// pass copies from one end to the other, each piece by so much later.
func (l *Link) pass(to, from net.Conn, late *atomic.Int64) {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces := make(chan piece, 1024)
	defer close(pieces)
	l.running.Go(func() {
		var err error
		for p := range pieces {
			<-time.After(time.Until(p.due))
			if err == nil {
				_, err = to.Write(p.bytes)
			}
		}
		_ = to.Close()
	})
	for {
		var b [64 << 10]byte
		n, err := from.Read(b[:])
		if l.stopped.Load() {
			_, _ = io.Copy(io.Discard, from) // a stopped process answers nothing until it is closed
			return
		}
		if err != nil {
			return
		}
		pieces <- piece{b[:n], time.Now().Add(time.Duration(late.Load()))}
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

// Late makes the process answer so much later than it would, from now on; 0: as soon as it can.
func (l *Link) Late(by time.Duration) { l.late.Store(int64(by)) }

// Stop makes the process hang: connections are accepted, and nothing is answered.
func (l *Link) Stop() { l.stopped.Store(true) }
