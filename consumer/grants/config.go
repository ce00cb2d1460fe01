package grants

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"sluice/internal/settings"
)

// Config says who may see what. The limits are nil where the setting was not given: what the server has stays then, and
// a new profile or quota gets the default.
type Config struct {
	Analysts   []string `name:"analysts" sep:";" placeholder:"NAME=PROJECT,..." help:"With --grants: make the role analyst_NAME, which sees these projects; * stands for all of them. Can be given several times, in the environment with ; between them. A role that exists and is not named stays as it is."`
	RolePrefix string   `name:"role-prefix" placeholder:"TEXT" help:"With --grants: begin the names of roles, profile and quota with this text, such as staging_. Needed if the ClickHouse has several databases of Sluice."`
	Replace    bool     `name:"replace-grants" help:"With --grants: change back what was changed by hand in Sluice's profile, quota, policies and views."`

	MaxTime       *settings.Duration `name:"analyst-max-time" help:"With --grants: how long a query of an analyst may take; 1s to 1d. Without it an existing profile keeps its limit, and a new one gets 2m."`
	MaxMemory     *uint64            `name:"analyst-max-memory" help:"With --grants: how much memory a query of an analyst may take, in bytes, at least 104857600. Without it an existing profile keeps its limit, and a new one gets 4294967296."`
	MaxRowsRead   *uint64            `name:"analyst-max-rows-read" help:"With --grants: how many rows a query of an analyst may read. Without it an existing profile keeps its limit, and a new one gets 5000000000."`
	MaxResultRows *uint64            `name:"analyst-max-result-rows" help:"With --grants: how many rows the answer to an analyst may have. Without it an existing profile keeps its limit, and a new one gets 1000000."`
	MaxQueries    *uint64            `name:"analyst-max-queries" help:"With --grants: how many queries each analyst may send in an hour. Without it an existing quota keeps its limit, and a new one gets 50000."`
}

// The limits that new profiles and quotas get, and the bounds of the settings.
const (
	defaultMaxTime       = 2 * time.Minute
	defaultMaxMemory     = 4 << 30       // bytes
	defaultMaxRowsRead   = 5_000_000_000 // rows
	defaultMaxResultRows = 1_000_000     // rows
	defaultMaxQueries    = 50_000        // an hour

	longestMaxTime = 24 * time.Hour
	leastMaxMemory = 100 << 20 // bytes: the views need some
)

// given reports whether a setting other than --grants itself was given.
func (c Config) given() bool {
	return len(c.Analysts) > 0 || c.RolePrefix != "" || c.Replace || c.MaxTime != nil || c.MaxMemory != nil ||
		c.MaxRowsRead != nil || c.MaxResultRows != nil || c.MaxQueries != nil
}

// Check reports every fault of the settings. wanted says whether --grants was given, without which they mean nothing.
func (c Config) Check(wanted bool) error {
	var faults []error
	if !wanted && c.given() {
		faults = append(faults,
			errors.New("--analysts, --role-prefix, --replace-grants and --analyst-max-…: need --grants"))
	}
	_, err := parseSets(c.Analysts)
	faults = append(faults, err)
	if !prefixForm.MatchString(c.RolePrefix) {
		faults = append(faults, errors.New("--role-prefix: at most 32 of a-z, 0-9 and _, a letter first"))
	}
	if c.MaxTime != nil {
		if d := time.Duration(*c.MaxTime); d < time.Second || d > longestMaxTime || d%time.Second != 0 {
			faults = append(faults, errors.New("--analyst-max-time: 1s to 1d, in whole seconds"))
		}
	}
	if c.MaxMemory != nil && *c.MaxMemory < leastMaxMemory {
		faults = append(faults,
			fmt.Errorf("--analyst-max-memory: at least %d bytes, not %d", leastMaxMemory, *c.MaxMemory))
	}
	for name, limit := range map[string]*uint64{
		"rows-read": c.MaxRowsRead, "result-rows": c.MaxResultRows, "queries": c.MaxQueries,
	} {
		if limit != nil && *limit == 0 {
			faults = append(faults, fmt.Errorf("--analyst-max-%s: at least 1; ClickHouse takes 0 for no limit", name))
		}
	}
	return errors.Join(faults...)
}

// set is a role of analysts and the projects it sees.
type set struct {
	name     string   // of the role, without its prefix
	projects []string // sorted; empty: all projects
}

var (
	prefixForm  = regexp.MustCompile(`^([a-z][a-z0-9_]{0,31})?$`)
	setForm     = regexp.MustCompile(`^[a-z0-9_]{1,48}$`)
	projectForm = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)
)

// allProjects stands for all projects in --analysts.
const allProjects = "*"

// parseSets reads --analysts.
func parseSets(texts []string) ([]set, error) {
	var out []set
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("--analysts: "+format, args...))
	}
	for _, text := range texts {
		name, list, ok := strings.Cut(strings.TrimSpace(text), "=")
		projects := settings.List(list)
		switch {
		case !ok || len(projects) == 0:
			fault("%.80q is not NAME=PROJECT,PROJECT", text)
			continue
		case !setForm.MatchString(name):
			fault("the name %.80q: 1 to 48 of a-z, 0-9 and _, because the role is called analyst_NAME", name)
		case slices.ContainsFunc(out, func(s set) bool { return s.name == name }):
			fault("%s is named twice: give all of its projects at once", name)
		case slices.Contains(projects, allProjects) && len(projects) > 1:
			fault("%s: * stands for all projects, leave the others out", name)
		}
		for _, p := range projects {
			if p != allProjects && !projectForm.MatchString(p) {
				fault("%.80q is not the id of a project: 1 to 64 of a-z, 0-9, _ and -", p)
			}
		}
		slices.Sort(projects)
		if projects = slices.Compact(projects); projects[0] == allProjects {
			projects = nil
		}
		out = append(out, set{name, projects})
	}
	return out, errors.Join(faults...)
}
