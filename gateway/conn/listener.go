package conn

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	// surplus is how many connections beyond the bound still get an answer, 503. More are closed on accept.
	surplus = 256
	// defaultSurplusTime is how long such a connection has to send its request.
	defaultSurplusTime = 2 * time.Second
	// otherFiles is how many open files are reserved for everything but clients: Kafka, the admin port, the log.
	otherFiles = 128
)

// boundedListener bounds how many connections are open. A client beyond the bound gets an answer to its request,
// which tells it to come back later. A connection that only closes would not.
//
// The listener retries while the system has no file or memory for another connection. The server would stop at that
// error.
type boundedListener struct {
	net.Listener
	most        int           // 0: no bound
	surplusTime time.Duration // how long a connection beyond the bound has to send its request
	open        func() int    // connections now
	turnedAway  func()
	log         *slog.Logger
	parking     *parking // nil: idle connections stay in the server

	once   sync.Once
	closed chan struct{}
}

// surplusConn is a connection beyond the bound. It closes after its first request. The answer is 503 for events and
// the usual one for a health check: a load balancer that removes a busy gateway makes the others busier.
type surplusConn struct {
	net.Conn
	until time.Time
}

// SetReadDeadline implements net.Conn. No deadline is later than the connection's own.
func (c *surplusConn) SetReadDeadline(t time.Time) error {
	if t.IsZero() || t.After(c.until) {
		t = c.until
	}
	return c.Conn.SetReadDeadline(t)
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	wait := time.Duration(0)
	for {
		c, err := l.Listener.Accept()
		switch {
		case err != nil && exhausted(err):
			if wait == 0 {
				l.log.Warn("cannot accept connections for now", "err", err)
			}
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			if !l.sleep(wait) {
				return nil, net.ErrClosed
			}
		case err != nil:
			return nil, err
		case l.most == 0 || l.open() < l.most:
			if l.parking != nil {
				c = l.parking.wrap(c)
			}
			return c, nil
		default:
			l.turnedAway()
			if l.open() < l.most+surplus {
				return &surplusConn{c, time.Now().Add(l.surplusTime)}, nil
			}
			_ = c.Close()
		}
	}
}

// sleep waits for d and reports whether the listener is still open.
func (l *boundedListener) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.closed:
		return false
	case <-timer.C:
		return true
	}
}

// Close implements net.Listener.
func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	err := l.Listener.Close()
	if l.parking != nil {
		l.parking.close()
	}
	return err
}

// exhausted reports whether an error of Accept is about one connection or about resources, so that a later Accept may
// succeed.
func exhausted(err error) bool {
	for _, errno := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR,
	} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
