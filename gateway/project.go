package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"sluice/gateway/projects"
	"sluice/gateway/ratelimit"
)

// project is the owner of a key.
type project struct {
	id       string
	disabled bool
	limit    *ratelimit.Limiter // nil: no limit
	origins  origins
}

// origins are the web origins whose pages may send.
type origins struct{ *projects.Origins }

// inForce holds the projects that are in force. Safe for concurrent use.
type inForce struct{ atomic.Pointer[projectSet] }

// projectSet is one reading of the projects file with the limiters of its projects. A project is made when it first
// sends: most of a million never do.
type projectSet struct {
	*projects.Set
	origins  origins                   // of all projects together
	made     []atomic.Pointer[project] // by the project's number in the set
	limiters *limiters
	since    time.Time // when limits that are new with this reading are full
}

func newProjectSet(set *projects.Set, limiters *limiters, now time.Time) *projectSet {
	return &projectSet{
		Set: set, origins: origins{set.Origins()}, made: make([]atomic.Pointer[project], set.Len()),
		limiters: limiters, since: now,
	}
}

// find returns the project of a key, or nil.
func (s *projectSet) find(key []byte) *project {
	number, ok := s.Lookup(key)
	if !ok {
		return nil
	}
	if found := s.made[number].Load(); found != nil {
		return found
	}
	return s.make(number)
}

// make makes the project of a number. Goroutines that do so at once all get the first one's project.
func (s *projectSet) make(number int) *project {
	of := s.Project(number)
	made := &project{id: of.ID, disabled: of.Disabled, origins: origins{&of.Origins}}
	made.limit = s.limiters.of(of.ID, of.Limit, s.since)
	if s.made[number].CompareAndSwap(nil, made) {
		return made
	}
	return s.made[number].Load()
}

// limiters holds the limiters in use, across all readings of the projects file: a reading that does not change a
// project's limit gives the project no fresh burst. A limiter is made when its project first sends. Safe for concurrent
// use.
type limiters struct {
	mu    sync.Mutex
	inUse map[limitKey]*ratelimit.Limiter
	store *ratelimit.Store // nil: each gateway limits by itself
}

type limitKey struct {
	project string
	limit   projects.Limit
}

// The limits of a projects file are within the bounds of a limiter. Otherwise this does not compile.
const (
	_ = uint(ratelimit.MaxEvents - projects.MaxLimitEvents)
	_ = uint(ratelimit.MaxWindow - projects.MaxLimitWindow)
)

func newLimiters(store *ratelimit.Store) *limiters {
	return &limiters{inUse: map[limitKey]*ratelimit.Limiter{}, store: store}
}

// of returns the limiter of a project, or nil if it has no limit.
func (l *limiters) of(project string, limit projects.Limit, now time.Time) *ratelimit.Limiter {
	if limit == (projects.Limit{}) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := limitKey{project, limit}
	limiter := l.inUse[key]
	if limiter == nil {
		limiter = ratelimit.New(ratelimit.Limit(limit), now)
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
