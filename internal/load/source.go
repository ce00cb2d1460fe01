package load

import (
	"sync"
	"time"
)

// source hands out the indexes of a run, in order, each once.
type source struct {
	mu       sync.Mutex
	next     int64
	limit    int64 // events; 0: unlimited
	batch    int64
	interval float64 // nanoseconds between events; 0: no schedule
	start    time.Time
	until    time.Time // end of new events; zero: none
	gate     *gate
	closed   bool
}

func newSource(cfg Config, start time.Time, g *gate) *source {
	s := &source{limit: int64(cfg.Events), batch: int64(cfg.Bulk), start: start, gate: g}
	if cfg.Rate > 0 {
		s.interval = float64(time.Second) / cfg.Rate
	}
	if cfg.Duration > 0 {
		s.until = start.Add(cfg.Duration)
	}
	return s
}

// claim returns the next range of indexes, without the end, and its scheduled time: zero without --rate. A slow gateway
// does not delay the schedule. A pause that the gateway asks for does: sending all delayed events at once would be a
// burst.
func (s *source) claim() (from, to int64, due time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.limit > 0 && s.next >= s.limit {
		return 0, 0, due, false
	}
	at := time.Now()
	if s.interval > 0 {
		due = s.start.Add(s.gate.paused() + time.Duration(float64(s.next)*s.interval))
		at = later(at, due)
	}
	if !s.until.IsZero() && !at.Before(s.until) {
		return 0, 0, due, false
	}
	from, to = s.next, s.next+s.batch
	if s.limit > 0 {
		to = min(to, s.limit)
	}
	s.next = to
	return from, to, due, true
}

// close stops handing out indexes.
func (s *source) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
}

// claimed returns how many indexes were handed out.
func (s *source) claimed() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next
}
