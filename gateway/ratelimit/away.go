package ratelimit

import (
	"context"
	"fmt"
	"time"

	"sluice/internal/causes"
)

// reconnect tries to reach the store, at the start and while the store is away.
//
// Once the store is back, the shares apply for a moment longer and the store is charged for what passed, until the
// other gateways are back too. Otherwise the first gateway would take the events that the others let pass and did not
// report yet.
func (s *Store) reconnect(ctx context.Context) {
	if s.conn == nil {
		if err := s.connect(ctx); err != nil {
			s.fail(err)
			return
		}
		if s.connected.Load() {
			s.beginGrace()
		}
	}
	s.beat()
	switch {
	case s.conn == nil:
	case s.inGrace():
		s.exchangeAll(false)
	default:
		s.rejoin()
	}
}

// beginGrace makes the shares apply for a moment, if there are other gateways.
func (s *Store) beginGrace() {
	s.graceUntil = time.Time{}
	if s.Gateways() > 1 {
		s.graceUntil = time.Now().Add(s.pace.grace)
	}
}

func (s *Store) inGrace() bool { return time.Now().Before(s.graceUntil) }

// connect reads the settings again, because the password may have changed.
func (s *Store) connect(ctx context.Context) error {
	options, err := s.cfg.options()
	if err != nil {
		return fmt.Errorf("%w: %w", errSettings, err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	s.conn, err = dial(ctx, options, s.id, s.script, s.clock)
	return err
}

// beat tells the store that this gateway is there. It learns how many gateways there are and whether the store lost
// its data.
func (s *Store) beat() {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	n, epoch, err := s.conn.heartbeat(ctx, "stay")
	if err != nil {
		s.fail(err)
		return
	}
	s.heartbeat = time.Now()
	lost := s.epoch != "" && s.epoch != epoch
	if s.epoch = epoch; lost {
		s.dataLost()
	} else if !s.inGrace() {
		s.known.Store(int64(n))
	}
}

// dataLost charges a store that lost its data for the events that each bucket lacks.
func (s *Store) dataLost() {
	s.log.Warn("limit store lost its data, gateways report what is missing", "gateways", s.Gateways())
	s.applyShares()
	s.beginGrace()
	s.exchangeAll(true)
}

// rejoin ends the use of the shares. The first exchange charges the store for what passed.
func (s *Store) rejoin() {
	if s.isAway.Swap(false) {
		s.log.Info("limit store is back",
			"gateways", s.Gateways(), "failures", s.causes.Tries(), "causes", s.causes.Summary())
	}
	s.causes = causes.Log{}
	s.connected.Store(true)
	s.exchangeAll(false)
}

// fail begins the use of the shares and closes the connection. After an error the connection may still deliver
// answers to other questions.
func (s *Store) fail(err error) {
	s.metrics.Errors.WithLabelValues(reasonOf(err)).Inc()
	fresh := s.causes.Note(causeOf(err))
	switch {
	case !s.away():
		s.log.Warn("limit store is away, each gateway applies its share of the limits",
			"gateways", s.Gateways(), "err", err)
	case fresh:
		s.log.Warn("limit store is still away, for another reason", "gateways", s.Gateways(), "err", err)
	}
	if s.conn != nil {
		_ = s.conn.close()
		s.conn = nil
	}
	s.applyShares()
}

// applyShares makes this gateway decide by its shares. Requests that wait for the store stop waiting.
func (s *Store) applyShares() {
	s.isAway.Store(true)
	s.queue.clear()
	for _, l := range s.queue.all() {
		l.abandon()
	}
}

// leave returns what is left of the leases and removes this gateway from the store, if the store is connected.
func (s *Store) leave() {
	if s.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	var ops []operation
	s.queue.filter(func(l *sharedLimit) bool {
		if op := l.giveBack(); op.give > 0 {
			ops = append(ops, op)
		}
		return false
	})
	_, err := s.conn.exchange(ctx, ops)
	if err == nil {
		_, _, err = s.conn.heartbeat(ctx, "leave")
	}
	if err != nil {
		s.log.Warn("cannot return the leases to the limit store", "err", err)
	}
	_ = s.conn.close()
	s.conn = nil
}
