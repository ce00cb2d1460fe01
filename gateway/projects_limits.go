package gateway

import (
	"sync"
	"time"
)

// limitSpec is a limit as the projects file has it. The zero value is none.
type limitSpec struct {
	events int
	window time.Duration
	exact  bool
}

// limiters are the limiters that are in use, over all readings of the projects file: a reading that leaves a project's limit as it
// was gives nobody a fresh burst. A limiter is made when its project first sends. Safe for concurrent use.
type limiters struct {
	mu    sync.Mutex
	inUse map[limitKey]*limiter
	store *limitStore // nil: each gateway limits by itself
}

type limitKey struct {
	project string
	spec    limitSpec
}

func newLimiters() *limiters { return &limiters{inUse: map[limitKey]*limiter{}} }

// of returns the limiter of a project, nil for no limit.
func (l *limiters) of(project string, spec limitSpec, now time.Time) *limiter {
	if spec == (limitSpec{}) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := limitKey{project, spec}
	limiter := l.inUse[key]
	if limiter == nil {
		limiter = newLimiter(spec.events, spec.window, spec.exact, now)
		if l.store != nil {
			l.store.attach(project, limiter)
		}
		l.inUse[key] = limiter
	}
	return limiter
}

// share makes limiters draw on the store from now on. Those that are in use already keep their own bucket.
func (l *limiters) share(store *limitStore) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.store = store
}

// retain forgets the limiters that the projects no longer have.
func (l *limiters) retain(p *Projects) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.inUse {
		if i, ok := p.ids.find([]byte(key.project)); !ok || p.rows.at(i).limit() != key.spec {
			delete(l.inUse, key)
		}
	}
}
