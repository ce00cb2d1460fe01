package ratelimit

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"sluice/internal/causes"

	"github.com/google/uuid"
)

const (
	// defaultWait is how long a request waits for the store before its gateway decides.
	defaultWait = 50 * time.Millisecond
	// defaultTimeout is how long an exchange may take before the store counts as away.
	defaultTimeout = 250 * time.Millisecond
	// connectTimeout is how long a connect may take. No request waits for it.
	connectTimeout = time.Second
	// scarcePause bounds the random pause before a bucket that was empty is asked again. The pause gives gateways
	// near the store and far from it the same chance to find a new token.
	scarcePause = 10 * time.Millisecond
)

// pace is how often the loop does what no request causes.
type pace struct {
	// tick is how often idle leases go back and, while the store is away, the loop tries to connect.
	tick time.Duration
	// heartbeat is how often a gateway tells the store that it is there.
	heartbeat time.Duration
	// grace is how long gateways apply their shares after the store came back. In this time each gateway tells the
	// store what passed or, if the store lost its data, what is missing.
	grace time.Duration
}

var defaultPace = pace{tick: 250 * time.Millisecond, heartbeat: time.Second, grace: time.Second}

// Store shares the projects' limits with other gateways through Redis.
//
//	requests ─▶ sharedLimit ─▶ want ─▶ Run: collect ─▶ one exchange at a time ─▶ deliver ─▶ requests
//
// Limits that want something during an exchange go together into the next one. When an exchange fails, the store is
// away: every gateway applies its share of each limit, and Run tries to connect until the store is back.
type Store struct {
	cfg     Config // with its defaults
	log     *slog.Logger
	now     func() time.Time
	metrics Metrics
	id      string // of this gateway, in the store

	// Tests replace these.
	clock  func() string // the µs that buckets go by; "" is the store's own clock
	script string        // take.lua
	pace   pace

	isAway    atomic.Bool
	connected atomic.Bool  // it was connected at least once
	known     atomic.Int64 // gateways, this one included

	queue queue

	// Only Run uses these.
	conn       *connection
	epoch      string    // of the store's data
	heartbeat  time.Time // the last one
	graceUntil time.Time // the shares apply until then, although the store is connected
	causes     causes.Log
}

// NewStore returns a store for cfg, which must be enabled. It opens nothing. now is the clock of the limiters.
func NewStore(cfg Config, metrics Metrics, log *slog.Logger, now func() time.Time) *Store {
	cfg.Wait, cfg.Timeout = cmp.Or(cfg.Wait, defaultWait), cmp.Or(cfg.Timeout, defaultTimeout)
	s := &Store{
		cfg: cfg, log: log, now: now, metrics: metrics, id: uuid.NewString(),
		clock: func() string { return "" }, script: takeScript, pace: defaultPace,
		queue: queue{wake: make(chan struct{}, 1)},
	}
	s.known.Store(1)
	return s
}

// Attach makes a limiter draw on the store. The limiters of all gateways that have the same project, events and
// window share one bucket. Call it before the limiter is used.
func (s *Store) Attach(project string, l *Limiter) {
	l.shared = newSharedLimit(s, bucketKey(project, l), l.events, l.window)
}

// Up reports whether the limits are shared now. They are not before the first connect, and while the store is away.
func (s *Store) Up() bool { return s.connected.Load() && !s.away() }

// Gateways returns how many gateways share the limits, this one included. While the store is away it is the last
// known number.
func (s *Store) Gateways() int { return int(s.known.Load()) }

func (s *Store) away() bool { return s.isAway.Load() }

// wait waits until done is closed, at most for the configured time.
func (s *Store) wait(done <-chan struct{}) {
	timer := time.NewTimer(s.cfg.Wait)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

// Run exchanges with the store until ctx ends. Then it returns what is left of the leases and leaves the store. It is
// called once. Limiters that are attached work without Run too: after Config.Wait each request is decided alone.
func (s *Store) Run(ctx context.Context) {
	defer s.leave()
	tick := time.NewTicker(s.pace.tick)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	paused := false
	s.reconnect(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.maintain()
			if s.away() {
				s.reconnect(ctx)
			}
		case <-pause.C:
			paused = false
			s.queue.resume()
		case <-s.queue.wake:
		}
		for !s.away() && s.exchangeNext() && ctx.Err() == nil {
		}
		if !paused && s.queue.pausing() {
			paused = true
			pause.Reset(time.Duration(rand.Int64N(int64(scarcePause) + 1)))
		}
	}
}

// maintain does the work that no request causes.
func (s *Store) maintain() {
	now := s.now()
	s.queue.filter(func(l *sharedLimit) bool { return l.maintain(now) })
}

// exchangeNext makes one exchange for the limits that are ready. It returns false if there was none or the exchange
// failed.
func (s *Store) exchangeNext() bool {
	if time.Since(s.heartbeat) >= s.pace.heartbeat {
		if s.beat(); s.away() {
			return false
		}
	}
	batch := s.queue.next()
	return len(batch) > 0 && s.exchange(batch, false)
}

// exchangeAll makes exchanges for all tracked limits, until one fails.
func (s *Store) exchangeAll(lost bool) {
	all := s.queue.all()
	for len(all) > 0 {
		n := min(len(all), maxBatch)
		if !s.exchange(all[:n], lost) {
			return
		}
		all = all[n:]
	}
}

// exchange asks the store for a batch of limits and delivers the answers. lost says that the store has lost its data.
// It returns false if the exchange failed.
func (s *Store) exchange(batch []*sharedLimit, lost bool) bool {
	now := s.now()
	var inquiries []inquiry
	var ops []operation
	for _, l := range batch {
		if q, ok := l.collect(lost, now); ok {
			inquiries, ops = append(inquiries, q), append(ops, q.ops...)
		}
	}
	if len(ops) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	start := time.Now()
	answers, err := s.conn.exchange(ctx, ops)
	s.metrics.Duration.Observe(time.Since(start).Seconds())
	if err != nil {
		s.fail(err)
		return false
	}
	now = s.now()
	for i := range inquiries {
		n := len(inquiries[i].ops)
		inquiries[i].limit.deliver(&inquiries[i], answers[:n], now)
		answers = answers[n:]
	}
	return true
}
