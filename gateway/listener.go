package gateway

import (
	"errors"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// surplus is how many connections beyond the limit are still heard, to be answered 503; more are closed as they come.
	surplus = 256
	// surplusTime is how long such a connection may take to say what it wants.
	surplusTime = 2 * time.Second
	// otherFiles is how many open files are kept for everything that is not a client: Kafka, the admin port, the log.
	otherFiles = 128
)

// boundedListener bounds how many connections are open. Beyond the bound a client is told so, by an answer to its request:
// from a connection that is only closed it would not learn that it should come again later.
//
// It also outlasts a system that has no file or memory left for one more connection; the server would take that for the end.
type boundedListener struct {
	net.Listener
	most    int        // 0: no bound
	open    func() int // connections now
	metrics *metrics
	log     *slog.Logger
	parking *parking // nil: idle connections stay in the server

	once   sync.Once
	closed chan struct{}
}

// surplusConn is a connection beyond the bound: it is closed after its first request, which is answered 503 if it has events.
// Health checks are answered as ever: a load balancer that takes a busy gateway away makes the others busier.
type surplusConn struct {
	net.Conn
	until time.Time
}

// SetReadDeadline is part of net.Conn.
func (c *surplusConn) SetReadDeadline(t time.Time) error {
	if t.IsZero() || t.After(c.until) {
		t = c.until
	}
	return c.Conn.SetReadDeadline(t)
}

// Accept is part of net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	wait := time.Duration(0)
	for {
		c, err := l.Listener.Accept()
		switch {
		case err != nil && exhausted(err):
			if wait == 0 {
				l.log.Warn("no more connections can be accepted for now", "err", err)
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
			l.metrics.turnedAway(limitConnections)
			if l.open() < l.most+surplus {
				return &surplusConn{c, time.Now().Add(surplusTime)}, nil
			}
			_ = c.Close()
		}
	}
}

// sleep says whether the listener is still open afterwards.
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

// Close is part of net.Listener.
func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	err := l.Listener.Close()
	if l.parking != nil {
		l.parking.close()
	}
	return err
}

// exhausted: this connection could not be had, the next one may be.
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

// bounded puts the bound on connections on l. It is lower than the setting where the system grants fewer open files.
func (g *Gateway) bounded(l net.Listener) net.Listener {
	most := g.cfg.MaxConnections
	if files := openFilesLimit(); files > 0 && most > 0 && most > files-surplus-otherFiles {
		most = max(1, files-surplus-otherFiles)
		g.log.Warn("the limit of open files leaves room for fewer connections than are set", "connections", most, "files", files)
	}
	return &boundedListener{
		Listener: l, most: most, open: g.connections, metrics: g.metrics, log: g.log, parking: g.parking, closed: make(chan struct{}),
	}
}

// connections is how many are open now.
func (g *Gateway) connections() int {
	return int(g.app.Server().GetOpenConnectionsCount()) + g.parking.count()
}

// isSurplus says whether a request came over a connection beyond the bound.
func isSurplus(ctx *fasthttp.RequestCtx) bool {
	_, is := ctx.Conn().(*surplusConn)
	return is
}
