package gateway

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	// storeTimeout is how long an exchange with the store may take before the store counts as away.
	storeTimeout = 250 * time.Millisecond
	// storeConnect is how long a connect may take: nobody waits for it.
	storeConnect = time.Second
	// storeTick is how often idle leases are looked for, and the store while it is away.
	storeTick = 250 * time.Millisecond
	// storeMeet is how often a gateway says that it is there.
	storeMeet = time.Second
	// storeSettle is how long the gateways stay with their shares after the store came back: until then each of them has told it
	// what passed, or, if it lost its books, what is missing.
	storeSettle = time.Second
	// scarcePause bounds the random pause before a bucket that was empty is asked again: so that each gateway, near the store or
	// far from it, finds what has come meanwhile as often as the others.
	scarcePause = 10 * time.Millisecond
	// storeBatch is how many limits are asked for in one exchange.
	storeBatch = 256
)

// limitStore shares the projects' limits with the other gateways.
//
//	requests ─▶ sharedLimit ─▶ want ─▶ Run: collect ─▶ one exchange at a time ─▶ deliver ─▶ requests
//
// What wants the store while an exchange is under way goes together in the next one. When an exchange fails, the store is
// away: every gateway goes by its share of each limit, and Run looks for the store until it is back.
type limitStore struct {
	cfg     Config
	log     *slog.Logger
	now     func() time.Time
	metrics *storeMetrics
	id      string

	// For tests: the µs that the buckets go by, "" for the store's own clock; the script; how long requests and exchanges wait, and how
	// often meet is done.
	clock                   func() string
	script                  string
	patience, budget, every time.Duration

	isAway    atomic.Bool
	connected atomic.Bool  // it was there at least once
	known     atomic.Int64 // gateways, this one included

	kick chan struct{}

	mu      sync.Mutex
	ready   []*sharedLimit // to be asked for now
	later   []*sharedLimit // after the pause
	tracked []*sharedLimit

	// The following belong to Run.
	conn    *storeConn
	epoch   string
	met     time.Time // when meet was last done
	settled time.Time // until when the shares stay in force though the store is there
	causes  storeCauses
}

func newLimitStore(cfg Config, log *slog.Logger, now func() time.Time) *limitStore {
	s := &limitStore{
		cfg: cfg, log: log, now: now, id: uuid.NewString(), clock: func() string { return "" }, script: takeText,
		patience: storeWait, budget: storeTimeout, every: storeMeet, kick: make(chan struct{}, 1),
	}
	s.known.Store(1)
	s.metrics = newStoreMetrics(
		func() float64 {
			if s.connected.Load() && !s.away() {
				return 1
			}
			return 0
		},
		func() float64 { return float64(s.gateways()) },
	)
	return s
}

func (s *limitStore) away() bool    { return s.isAway.Load() }
func (s *limitStore) gateways() int { return int(s.known.Load()) }

// track makes Run look after a limit until it says that nothing is left to do.
func (s *limitStore) track(l *sharedLimit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tracked = append(s.tracked, l)
}

// Run keeps up the exchange with the store until ctx ends; then it gives back what is left of the leases.
func (s *limitStore) Run(ctx context.Context) {
	defer s.leave()
	tick := time.NewTicker(storeTick)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	paused := false
	s.find(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look()
			if s.away() {
				s.find(ctx)
			}
		case <-pause.C:
			paused = false
			s.resume()
		case <-s.kick:
		}
		for !s.away() && s.turn() && ctx.Err() == nil {
		}
		if !paused && s.pausing() {
			paused = true
			pause.Reset(time.Duration(rand.Int64N(int64(scarcePause) + 1))) //nolint:gosec // no secret
		}
	}
}

// look does what is due without a request.
func (s *limitStore) look() {
	s.mu.Lock()
	all := s.tracked
	s.tracked = nil
	s.mu.Unlock()
	now := s.now()
	kept := all[:0]
	for _, l := range all {
		if l.look(now) {
			kept = append(kept, l)
		}
	}
	clear(all[len(kept):])
	s.mu.Lock()
	s.tracked = append(kept, s.tracked...)
	s.mu.Unlock()
}

// turn makes one exchange, and returns false when there was nothing to do or it failed.
func (s *limitStore) turn() bool {
	if time.Since(s.met) >= s.every {
		if s.meet(); s.away() {
			return false
		}
	}
	batch := s.next()
	return len(batch) > 0 && s.exchange(batch, false)
}

// exchange asks the store for a batch of limits.
func (s *limitStore) exchange(batch []*sharedLimit, lost bool) bool {
	now := s.now()
	var turns []turn
	var ops []storeOp
	for _, l := range batch {
		if t, ok := l.collect(lost, now); ok {
			turns, ops = append(turns, t), append(ops, t.ops...)
		}
	}
	if len(ops) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.budget)
	defer cancel()
	start := time.Now()
	answers, err := s.conn.exchange(ctx, ops)
	s.metrics.duration.Observe(time.Since(start).Seconds())
	if err != nil {
		s.fail(err)
		return false
	}
	now = s.now()
	for i := range turns {
		n := len(turns[i].ops)
		turns[i].limit.deliver(&turns[i], answers[:n], now)
		answers = answers[n:]
	}
	return true
}
