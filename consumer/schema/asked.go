package schema

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"sluice/consumer/retention"
)

// asked is what the settings say of the retention.
type asked struct {
	all, outcomes *time.Duration           // nil: what the table has
	projects      map[string]time.Duration // nil: what the table has; empty: none
}

// retention reads the settings of the retention, and reports every fault.
func (c Config) retention() (a asked, err error) {
	var faults []error
	take := func(flag string, given *time.Duration) *time.Duration {
		if given != nil {
			if err := retention.Check(*given); err != nil {
				faults = append(faults, fmt.Errorf("--%s: %w", flag, err))
			}
		}
		return given
	}
	a.all = take("retention", (*time.Duration)(c.Retention))
	a.outcomes = take("outcomes-retention", (*time.Duration)(c.OutcomesRetention))
	if a.projects, err = retention.Projects(c.ProjectRetention); err != nil {
		faults = append(faults, fmt.Errorf("--project-retention: %w", err))
	}
	return a, errors.Join(faults...)
}

// events reports whether anything is asked for the table of events.
func (a asked) events() bool { return a.all != nil || a.projects != nil }

// flags are the settings of the table of events that are given.
func (a asked) flags() string {
	switch {
	case a.all == nil:
		return "--project-retention"
	case a.projects == nil:
		return "--retention"
	}
	return "--retention and --project-retention"
}

// policy is what is asked for, where the servers have some TTLs: what is not given stays. It is not ok if what stays is
// no policy.
func (a asked) policy(have []string) (p retention.Policy, ok bool) {
	p = retention.Policy{All: retention.Default}
	ok = true
	if len(have) > 0 {
		p, ok = retention.Parse(have[0])
	}
	if a.all != nil {
		p.All, ok = *a.all, true
	}
	if a.projects != nil {
		p.Projects = a.projects
	}
	return p, ok
}

// newTTL is the TTL of a table of events that is made: that of the other servers, else what is asked for, else the
// default.
func (a asked) newTTL(have []string) string {
	if len(have) > 0 {
		return have[0]
	}
	p, _ := a.policy(nil)
	return p.TTL()
}

// newOutcomesTTL is the TTL of a table of counts that is made. Counts are kept for as long as events, unless something
// else is said.
func (a asked) newOutcomesTTL(have []string, events string) string {
	if len(have) > 0 {
		return have[0]
	}
	if a.outcomes != nil {
		return outcomesTTL(*a.outcomes)
	}
	if p, ok := retention.Parse(events); ok {
		return outcomesTTL(p.All)
	}
	return ""
}

// outcomesTTL is the TTL that keeps counts for a duration.
func outcomesTTL(d time.Duration) string {
	return fmt.Sprintf("minute + toIntervalSecond(%d)", int64(d.Seconds()))
}

var outcomesForm = regexp.MustCompile(`^minute \+ toIntervalSecond\((\d{1,10})\)$`)

// keepsOutcomes returns for how long a TTL keeps counts.
func keepsOutcomes(ttl string) (d time.Duration, ok bool) {
	if m := outcomesForm.FindStringSubmatch(ttl); m != nil {
		n, err := strconv.ParseInt(m[1], 10, 64)
		return time.Duration(n) * time.Second, err == nil
	}
	return 0, false
}

// saidTTL is a TTL in words.
func saidTTL(ttl string) string {
	if ttl == "" {
		return "for ever"
	}
	if p, ok := retention.Parse(ttl); ok {
		return p.String()
	}
	if d, ok := keepsOutcomes(ttl); ok {
		return retention.Days(d)
	}
	return "by TTL " + ttl
}
