package gateway

import (
	"cmp"
	"log/slog"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// connConfig configures a connSet.
type connConfig struct {
	// Max is how many connections may be open at once; 0 is no bound. The limit of open files may lower it.
	Max int
	// ParkAfter is how long a keep-alive connection is idle before it parks. 0 is the default of two seconds.
	ParkAfter time.Duration
	// TurnedAway is called for each connection beyond the bound. It must be safe for concurrent use.
	TurnedAway func()
	// Log gets warnings: the limit of open files is too low, or the system cannot accept connections.
	Log *slog.Logger
}

// defaultParkAfter is short: a client that sends again within two seconds keeps its buffers.
const defaultParkAfter = 2 * time.Second

// connSet holds the open connections of one server. Safe for concurrent use.
type connSet struct {
	cfg         connConfig
	surplusTime time.Duration // tests shorten it
	server      *fasthttp.Server
	parking     *parking
}

// newConnSet returns the set of a server. It uses the server's ConnState hook. The server must already have an
// IdleTimeout, and a ReadTimeout: without one, fasthttp sets no deadlines.
func newConnSet(server *fasthttp.Server, cfg connConfig) *connSet {
	parking := newParking(server, cmp.Or(cfg.ParkAfter, defaultParkAfter))
	return &connSet{cfg: cfg, surplusTime: defaultSurplusTime, server: server, parking: parking}
}

// bound returns a listener that bounds how many connections of l are open, and parks idle ones. Closing the listener
// closes the parked connections.
func (s *connSet) bound(l net.Listener) net.Listener {
	most := s.cfg.Max
	if files := openFilesLimit(); files > 0 && most > 0 && most > files-surplus-otherFiles {
		most = max(1, files-surplus-otherFiles)
		s.cfg.Log.Warn("limit of open files lowers the limit of connections", "connections", most, "files", files)
	}
	return &boundedListener{
		Listener: l, most: most, surplusTime: s.surplusTime, open: s.open, turnedAway: s.cfg.TurnedAway, log: s.cfg.Log,
		parking: s.parking, closed: make(chan struct{}),
	}
}

// open returns how many connections are open now, parked ones included.
func (s *connSet) open() int { return int(s.server.GetOpenConnectionsCount()) + s.parking.count() }

// parked returns how many connections are parked now.
func (s *connSet) parked() int { return s.parking.count() }

// isSurplus reports whether a request came over a connection beyond the bound. The connection should close after the
// answer.
func isSurplus(ctx *fasthttp.RequestCtx) bool {
	_, is := ctx.Conn().(*surplusConn)
	return is
}
