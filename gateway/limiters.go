package gateway

import (
	"sync"
	"time"

	"sluice/gateway/projects"
	"sluice/gateway/ratelimit"
)

// limiters are the limiters that are in use, across all readings of the projects file: a reading that leaves a
// project's limit as it was gives nobody a fresh burst. A limiter is made when its project first sends. Safe for
// concurrent use.
type limiters struct {
	mu    sync.Mutex
	inUse map[limitKey]*ratelimit.Limiter
	store *ratelimit.Store // nil: each gateway limits by itself
}

type limitKey struct {
	project string
	limit   projects.Limit
}

func newLimiters(store *ratelimit.Store) *limiters {
	return &limiters{inUse: map[limitKey]*ratelimit.Limiter{}, store: store}
}

// of returns the limiter of a project, nil for no limit.
func (l *limiters) of(project string, limit projects.Limit, now time.Time) *ratelimit.Limiter {
	if limit == (projects.Limit{}) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := limitKey{project, limit}
	limiter := l.inUse[key]
	if limiter == nil {
		limiter = ratelimit.New(limit.Events, limit.Window, limit.ExactRetryAfter, now)
		if l.store != nil {
			l.store.Attach(project, limiter)
		}
		l.inUse[key] = limiter
	}
	return limiter
}

// retain forgets the limiters that the projects no longer have.
func (l *limiters) retain(set *projects.Set) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.inUse {
		if limit, ok := set.LimitOf(key.project); !ok || limit != key.limit {
			delete(l.inUse, key)
		}
	}
}
