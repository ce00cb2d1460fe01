package clickhouse

import (
	"context"
	"log/slog"
	"sync"
)

// maxConnections is how many inserts run at a time on one server, over all partitions. Each connection holds a block's
// bytes twice, plain and compressed, and a server gets no faster with more than a few inserts at a time.
const maxConnections = 4

// replica lends the few sessions with one server to all partitions, first come, first served.
type replica struct {
	free chan *session
	log  *slog.Logger

	mu     sync.Mutex
	logged string
}

func newReplica(size int, log *slog.Logger, fresh func() *session) *replica {
	r := &replica{free: make(chan *session, size), log: log}
	for range size {
		s := fresh()
		s.connected = r.report
		r.free <- s
	}
	return r
}

// report logs what is wrong with a server, once.
func (r *replica) report(s *Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if fault := s.Fault(); fault != "" && fault != r.logged {
		r.logged = fault
		r.log.Error("clickhouse server is unsuitable", "version", s.Version, "why", fault)
	}
}

// use lends a session, and waits for one while all are lent. It fails with ErrNotSent if ctx ends first.
func (r *replica) use(ctx context.Context, fn func(*session) error) error {
	select {
	case s := <-r.free:
		defer func() { r.free <- s }()
		return fn(s)
	case <-ctx.Done():
		return ErrNotSent
	}
}

// close closes the sessions that are not lent.
func (r *replica) close() {
	for {
		select {
		case s := <-r.free:
			s.close()
		default:
			return
		}
	}
}
