package gateway

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sluice/gateway/projects"
	"sluice/gateway/ratelimit"
)

// project is who a key belongs to.
type project struct {
	id       string
	disabled bool
	limit    *ratelimit.Limiter // nil: no limit
	origins  origins
}

// origins are the web origins whose pages may send.
type origins struct{ *projects.Origins }

// projectSet is one reading of the projects file with the limiters of its projects. A project is made when it first
// sends: most of a million never do.
type projectSet struct {
	*projects.Set
	origins  origins                   // of all projects together
	made     []atomic.Pointer[project] // by the project's number in the set
	limiters *limiters
	since    time.Time // limits that are new with this reading are full from this time on
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

// make makes the project of that number. If several goroutines do so at once, all get the first one's.
func (s *projectSet) make(number int) *project {
	of := s.Project(number)
	made := &project{id: of.ID, disabled: of.Disabled, origins: origins{&of.Origins}}
	made.limit = s.limiters.of(of.ID, of.Limit, s.since)
	if s.made[number].CompareAndSwap(nil, made) {
		return made
	}
	return s.made[number].Load()
}

// loadProjects reads the projects for the first time.
func (g *Gateway) loadProjects() error {
	set := g.deps.Projects
	if set == nil {
		if g.cfg.ProjectsFile == "" {
			return projects.ErrNoFile
		}
		g.file = projects.NewFile(g.cfg.ProjectsFile, g.log)
		var err error
		if set, err = g.file.Load(); err != nil {
			return err
		}
	}
	g.limiters = newLimiters(g.store)
	g.useProjects(set)
	return nil
}

// useProjects puts a reading of the projects into force. Limits that did not change go on where they are.
func (g *Gateway) useProjects(set *projects.Set) {
	g.projects.Store(newProjectSet(set, g.limiters, g.now()))
	g.limiters.retain(set)
}

// projectsGauges report what is in force.
func projectsGauges(g *Gateway) []prometheus.Collector {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	return []prometheus.Collector{
		gauge("sluice_gateway_projects", "Projects in force.", func() float64 {
			return float64(g.projects.Load().Len())
		}),
		gauge("sluice_gateway_project_keys", "Keys of projects in force.", func() float64 {
			return float64(g.projects.Load().Keys())
		}),
		gauge("sluice_gateway_projects_file_broken",
			"1 while the projects file is broken and the last good one stays in force, else 0.", func() float64 {
				if g.file != nil && g.file.Broken() {
					return 1
				}
				return 0
			}),
	}
}
