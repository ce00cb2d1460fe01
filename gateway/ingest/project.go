package ingest

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
	Limit    *ratelimit.Limiter // nil: no limit
	origins  origins
}

// origins are the web origins whose pages may send.
type origins struct{ *projects.Origins }

// Projects holds the projects that are in force. Safe for concurrent use.
type Projects struct{ atomic.Pointer[ProjectSet] }

// ProjectSet is one reading of the projects file with the limiters of its projects. A project is made when it first
// sends: most of a million never do.
type ProjectSet struct {
	*projects.Set
	origins  origins                   // of all projects together
	made     []atomic.Pointer[project] // by the project's number in the set
	limiters *Limiters
	since    time.Time // when limits that are new with this reading are full
}

// NewProjectSet joins a reading of the projects file with the limiters. Limits that are new with it are full at now.
func NewProjectSet(set *projects.Set, limiters *Limiters, now time.Time) *ProjectSet {
	return &ProjectSet{
		Set: set, origins: origins{set.Origins()}, made: make([]atomic.Pointer[project], set.Len()),
		limiters: limiters, since: now,
	}
}

// Find returns the project of a key, or nil.
func (s *ProjectSet) Find(key []byte) *project {
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
func (s *ProjectSet) make(number int) *project {
	of := s.Project(number)
	made := &project{id: of.ID, disabled: of.Disabled, origins: origins{&of.Origins}}
	made.Limit = s.limiters.of(of.ID, of.Limit, s.since)
	if s.made[number].CompareAndSwap(nil, made) {
		return made
	}
	return s.made[number].Load()
}

// Limiters holds the limiters in use, across all readings of the projects file: a reading that does not change a
// project's limit gives the project no fresh burst. A limiter is made when its project first sends. Safe for concurrent
// use.
type Limiters struct {
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

// NewLimiters returns no limiters yet. They share their limits through the store, or not if it is nil.
func NewLimiters(store *ratelimit.Store) *Limiters {
	return &Limiters{inUse: map[limitKey]*ratelimit.Limiter{}, store: store}
}

// of returns the limiter of a project, or nil if it has no limit.
func (l *Limiters) of(project string, limit projects.Limit, now time.Time) *ratelimit.Limiter {
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

// Retain forgets the limiters that the projects no longer have.
func (l *Limiters) Retain(set *projects.Set) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key := range l.inUse {
		if limit, ok := set.LimitOf(key.project); !ok || limit != key.limit {
			delete(l.inUse, key)
		}
	}
}
