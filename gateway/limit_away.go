package gateway

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// find looks for the store: at the start and while it is away. Once it is found again the shares stay in force for a moment,
// and the store is charged for what they let pass, until the other gateways have found it too: or the first to come back would
// take what the others have let pass and not yet said.
func (s *limitStore) find(ctx context.Context) {
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			s.fail(err)
			return
		}
		if s.connected.Load() {
			s.settle()
		}
	}
	s.meet()
	switch {
	case s.conn == nil:
	case s.settling():
		s.exchangeAll(false)
	default:
		s.rejoin()
	}
}

// settle makes the shares stay in force for a moment, if there is anybody to wait for.
func (s *limitStore) settle() {
	s.settled = time.Time{}
	if s.gateways() > 1 {
		s.settled = time.Now().Add(storeSettle)
	}
}

func (s *limitStore) settling() bool { return time.Now().Before(s.settled) }

// connect reads the settings again, for passwords are replaced.
func (s *limitStore) connect(ctx context.Context) error {
	options, err := s.cfg.options()
	if err != nil {
		return fmt.Errorf("%w: %w", errStoreSettings, err)
	}
	ctx, cancel := context.WithTimeout(ctx, storeConnect)
	defer cancel()
	s.conn, err = connectStore(ctx, options, s.id, s.script, s.clock)
	return err
}

// meet says that this gateway is there and learns how many are, and whether the store lost its books.
func (s *limitStore) meet() {
	ctx, cancel := context.WithTimeout(context.Background(), s.budget)
	defer cancel()
	n, epoch, err := s.conn.meet(ctx, "stay")
	if err != nil {
		s.fail(err)
		return
	}
	s.met = time.Now()
	lost := s.epoch != "" && s.epoch != epoch
	if s.epoch = epoch; lost {
		s.lose()
	} else if !s.settling() {
		s.known.Store(int64(n))
	}
}

// lose tells the store, which is there and knows nothing, what is missing from each bucket.
func (s *limitStore) lose() {
	s.log.Warn("limit store lost its data, the buckets are what the gateways know of them", "gateways", s.gateways())
	s.retreat()
	s.settle()
	s.exchangeAll(true)
}

// rejoin goes over to the store, which is charged for what passed meanwhile before anything else.
func (s *limitStore) rejoin() {
	if s.isAway.Swap(false) {
		s.log.Info("limit store is back", "gateways", s.gateways(), "failures", s.causes.tries, "causes", s.causes.summary())
	}
	s.causes = storeCauses{}
	s.connected.Store(true)
	s.exchangeAll(false)
}

func (s *limitStore) exchangeAll(lost bool) {
	s.mu.Lock()
	all := slices.Clone(s.tracked)
	s.mu.Unlock()
	for batch := range slices.Chunk(all, storeBatch) {
		if !s.exchange(batch, lost) {
			return
		}
	}
}

// fail goes over to the shares and lets go of the connection: after an error it may hold the answers of other questions.
func (s *limitStore) fail(err error) {
	s.metrics.Errors.WithLabelValues(storeReason(err)).Inc()
	fresh := s.causes.note(err)
	switch {
	case !s.away():
		s.log.Warn("limit store is away, each gateway applies its share of the limits", "gateways", s.gateways(), "err", err)
	case fresh:
		s.log.Warn("limit store is still away, for another reason", "gateways", s.gateways(), "err", err)
	}
	if s.conn != nil {
		_ = s.conn.close()
		s.conn = nil
	}
	s.retreat()
}

// retreat puts the shares into force. Whoever waits for the store decides by them.
func (s *limitStore) retreat() {
	s.isAway.Store(true)
	s.mu.Lock()
	for _, l := range slices.Concat(s.ready, s.later) {
		l.queued = queuedNot
	}
	s.ready, s.later = nil, nil
	all := slices.Clone(s.tracked)
	s.mu.Unlock()
	for _, l := range all {
		l.abandon()
	}
}

// leave gives back what is left of the leases and says that this gateway is gone, if the store is there.
func (s *limitStore) leave() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.budget)
	defer cancel()
	s.mu.Lock()
	all := s.tracked
	s.tracked = nil
	s.mu.Unlock()
	var ops []storeOp
	for _, l := range all {
		if op := l.giveBack(); op.give > 0 {
			ops = append(ops, op)
		}
	}
	_, err := s.conn.exchange(ctx, ops)
	if err == nil {
		_, _, err = s.conn.meet(ctx, "leave")
	}
	if err != nil {
		s.log.Warn("limit store was left without a word", "err", err)
	}
	_ = s.conn.close()
	s.conn = nil
}
