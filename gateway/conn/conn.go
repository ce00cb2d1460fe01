package conn

import (
	"cmp"
	"log/slog"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// Config configures a Set.
type Config struct {
	// Max is how many connections may be open at once; 0 is no bound. The limit of open files may lower it.
	Max int
	// ParkAfter is how long a keep-alive connection is idle before it parks. 0 is the default of two seconds.
	ParkAfter time.Duration
	// TurnedAway is called for each connection beyond the bound. It must be safe for concurrent use.
	TurnedAway func()
	// Left returns how many connections have left the server, for a protocol other than HTTP, and are still open. nil
	// is none.
	Left func() int
	// Log gets warnings: the limit of open files is too low, or the system cannot accept connections.
	Log *slog.Logger
}

// defaultParkAfter is short: a client that sends again within two seconds keeps its buffers.
const defaultParkAfter = 2 * time.Second

// Set holds the open connections of one server. Safe for concurrent use.
type Set struct {
	cfg        Config
	excessTime time.Duration // tests shorten it
	server     *fasthttp.Server
	parking    *parking
}

// New returns the set of a server. It uses the server's ConnState hook. The server must already have an
// IdleTimeout, and a ReadTimeout: without one, fasthttp sets no deadlines.
func New(server *fasthttp.Server, cfg Config) *Set {
	parking := newParking(server, cmp.Or(cfg.ParkAfter, defaultParkAfter))
	return &Set{cfg: cfg, excessTime: defaultExcessTime, server: server, parking: parking}
}

// Bound returns a listener that bounds how many connections of l are open, and parks idle ones. Closing the listener
// closes the parked connections.
func (s *Set) Bound(l net.Listener) net.Listener {
	most := s.cfg.Max
	if files := openFilesLimit(); files > 0 && most > 0 && most > files-maxExcess-otherFiles {
		most = max(1, files-maxExcess-otherFiles)
		s.cfg.Log.Warn("limit of open files lowers the limit of connections", "connections", most, "files", files)
	}
	return &boundedListener{
		Listener: l, most: most, excessTime: s.excessTime, open: s.Open, turnedAway: s.cfg.TurnedAway, log: s.cfg.Log,
		parking: s.parking, closed: make(chan struct{}),
	}
}

// Open returns how many connections are open now, parked ones included.
func (s *Set) Open() int {
	open := int(s.server.GetOpenConnectionsCount()) + s.parking.count()
	if s.cfg.Left != nil {
		open += s.cfg.Left()
	}
	return open
}

// Parked returns how many connections are parked now.
func (s *Set) Parked() int { return s.parking.count() }

// IsExcess reports whether a request came over a connection beyond the bound. The connection should close after the
// answer.
func IsExcess(ctx *fasthttp.RequestCtx) bool {
	_, is := ctx.Conn().(*excessConn)
	return is
}
