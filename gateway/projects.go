package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/goccy/go-yaml"

	"sluice/internal/event"
)

// The limit of a project whose entry names none.
const (
	defaultLimitEvents = 60_000
	defaultLimitWindow = 60 * time.Second
)

// digest is the SHA-256 of a key; the keys themselves are never stored.
type digest [sha256.Size]byte

// project is who a key belongs to.
type project struct {
	id       string
	disabled bool
	limit    *limiter // nil: no limit
	origins  origins
}

// Projects is one reading of the projects file. It does not change; a new reading replaces it as a whole.
type Projects struct {
	byKey map[digest]*project
	// origins are those of all projects together: what is known of a request before its key is.
	origins origins
}

// find returns the project of a key, or nil. What is compared is a digest, which says nothing about the key it came from,
// however long the comparison took.
func (p *Projects) find(key []byte) *project { return p.byKey[sha256.Sum256(key)] }

// OneProject is a single project without a rate limit and for pages of any origin, for a developer's machine.
func OneProject(id, key string) *Projects {
	everywhere := origins{any: true}
	return &Projects{
		byKey:   map[digest]*project{sha256.Sum256([]byte(key)): {id: id, origins: everywhere}},
		origins: everywhere,
	}
}

// projectsFile is the file as written.
type projectsFile struct {
	Projects []projectEntry `yaml:"projects"`
}

type projectEntry struct {
	ID       string     `yaml:"id"`
	Keys     []keyEntry `yaml:"keys"`
	Limit    limitEntry `yaml:"limit"`
	Origins  *[]string  `yaml:"origins"`
	Disabled bool       `yaml:"disabled"`
}

type keyEntry struct {
	Name   string `yaml:"name"`
	SHA256 string `yaml:"sha256"`
}

type limitEntry struct {
	Events     *int           `yaml:"events"`
	Window     *time.Duration `yaml:"window"`
	RetryAfter string         `yaml:"retry_after"`
	Unlimited  bool           `yaml:"unlimited"`
}

// LoadProjects reads a projects file. Its error names every fault of the file. Limiters of old that did not change their
// settings are taken over, so that a reload gives nobody a fresh burst; old may be nil.
func LoadProjects(path string, old *Projects, now time.Time) (*Projects, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("projects file: %w", err)
	}
	projects, err := parseProjects(text, old, now)
	if err != nil {
		return nil, fmt.Errorf("projects file %s: %w", path, err)
	}
	return projects, nil
}

func parseProjects(text []byte, old *Projects, now time.Time) (*Projects, error) {
	var file projectsFile
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	if len(file.Projects) == 0 {
		return nil, errors.New("it lists no project")
	}
	var faults []error
	out := &Projects{byKey: map[digest]*project{}}
	seen := map[string]bool{}
	limiters := old.limiters()
	for i, entry := range file.Projects {
		where := fmt.Sprintf("project %d (%q)", i+1, entry.ID)
		if !event.ValidProjectID(entry.ID) {
			faults = append(faults, fmt.Errorf("%s: id must match [a-z0-9_-]{1,64}", where))
		} else if seen[entry.ID] {
			faults = append(faults, fmt.Errorf("%s: the id is given twice", where))
		}
		seen[entry.ID] = true
		p := &project{id: entry.ID, disabled: entry.Disabled}
		limit, err := entry.Limit.limiter(limiters[entry.ID], now)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", where, err))
		}
		p.limit = limit
		if p.origins, err = parseOrigins(entry.Origins); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", where, err))
		}
		out.origins.add(&p.origins)
		for _, k := range entry.Keys {
			if err := out.add(k, p); err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", where, err))
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return out, nil
}

func (p *Projects) add(k keyEntry, to *project) error {
	raw, err := hex.DecodeString(k.SHA256)
	if err != nil || len(raw) != sha256.Size {
		return fmt.Errorf("key %q: sha256 must be 64 hex digits; `sluice keys hash` makes them", k.Name)
	}
	d := digest(raw)
	if p.byKey[d] != nil {
		return fmt.Errorf("key %q: the same key is listed twice", k.Name)
	}
	p.byKey[d] = to
	return nil
}

func (e limitEntry) limiter(old *limiter, now time.Time) (*limiter, error) {
	if e.Unlimited {
		if e.Events != nil || e.Window != nil {
			return nil, errors.New("limit: unlimited and a limit contradict each other")
		}
		return nil, nil //nolint:nilnil // no limiter is what unlimited means
	}
	events, window := defaultLimitEvents, defaultLimitWindow
	if e.Events != nil {
		events = *e.Events
	}
	if e.Window != nil {
		window = *e.Window
	}
	switch {
	case events < 1 || events > maxLimitEvents:
		return nil, fmt.Errorf("limit: events must be 1 to %d", maxLimitEvents)
	case window < time.Second || window > maxLimitWindow:
		return nil, fmt.Errorf("limit: window must be 1s to %s", maxLimitWindow)
	case e.RetryAfter != "" && e.RetryAfter != "window" && e.RetryAfter != "exact":
		return nil, errors.New("limit: retry_after must be window or exact")
	}
	exact := e.RetryAfter == "exact"
	if old != nil && old.events == int64(events) && old.window == window && old.exact == exact {
		return old, nil
	}
	return newLimiter(events, window, exact, now), nil
}

// limiters lists the limiters by project.
func (p *Projects) limiters() map[string]*limiter {
	out := map[string]*limiter{}
	if p == nil {
		return out
	}
	for _, project := range p.byKey {
		if project.limit != nil {
			out[project.id] = project.limit
		}
	}
	return out
}

// CheckProjects reads a projects file for its faults only.
func CheckProjects(path string) error {
	if path == "" {
		return errNoProjects
	}
	_, err := LoadProjects(path, nil, time.Now())
	return err
}

var errNoProjects = errors.New("--projects-file: name the file with the projects and their keys")
