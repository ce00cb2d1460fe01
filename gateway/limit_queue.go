package gateway

import "time"

// queued is where in the store's queues a limit is.
type queued uint8

const (
	queuedNot queued = iota
	queuedLater
	queuedNow
)

// want makes Run ask the store for a limit, now or after the pause.
func (s *limitStore) want(l *sharedLimit, afterPause bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case l.queued == queuedNow || l.queued == queuedLater && afterPause:
		return
	case afterPause:
		l.queued = queuedLater
		s.later = append(s.later, l)
	default:
		l.queued = queuedNow
		s.ready = append(s.ready, l)
	}
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// wait waits for the store, but not for long.
func (s *limitStore) wait(done <-chan struct{}) {
	timer := time.NewTimer(s.patience)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func (s *limitStore) pausing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.later) > 0
}

// resume makes those ready whose pause is over.
func (s *limitStore) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.later {
		if l.queued == queuedLater {
			l.queued = queuedNow
			s.ready = append(s.ready, l)
		}
	}
	clear(s.later)
	s.later = s.later[:0]
}

// next takes a batch of those that are ready.
func (s *limitStore) next() []*sharedLimit {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.ready), storeBatch)
	batch := append([]*sharedLimit(nil), s.ready[:n]...)
	for _, l := range batch {
		l.queued = queuedNot
	}
	rest := copy(s.ready, s.ready[n:])
	clear(s.ready[rest:])
	s.ready = s.ready[:rest]
	return batch
}
