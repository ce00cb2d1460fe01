package retention

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"sluice/internal/settings"
)

// MaxProjects is the most projects with a time of their own.
const MaxProjects = 1000

// None is the setting of the projects that takes their times away.
const None = "none"

// Check reports why a table cannot keep rows for a time.
func Check(d time.Duration) error {
	if d < Min || d > Max || d%time.Second != 0 {
		return fmt.Errorf("at least %s and at most %s, in whole seconds; leave it out to keep what the table has",
			Days(Min), Days(Max))
	}
	return nil
}

// projectID is the form of a project's id.
var projectID = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// Projects reads the setting --project-retention: shop=30d,demo=7d, or none. It returns nil for an empty setting, which
// keeps what there is.
func Projects(text string) (map[string]time.Duration, error) {
	entries := settings.List(text)
	switch {
	case strings.TrimSpace(text) == "":
		return nil, nil
	case len(entries) == 1 && entries[0] == None:
		return map[string]time.Duration{}, nil
	case len(entries) == 0:
		return nil, errors.New("write PROJECT=TIME, such as shop=30d,demo=7d, or none")
	case len(entries) > MaxProjects:
		return nil, fmt.Errorf("%d projects, at most %d are allowed", len(entries), MaxProjects)
	}
	out := map[string]time.Duration{}
	for n, entry := range entries {
		project, text, ok := strings.Cut(entry, "=")
		project, text = strings.TrimSpace(project), strings.TrimSpace(text)
		if !ok || !projectID.MatchString(project) {
			return nil, fmt.Errorf("entry %d is not PROJECT=TIME, such as shop=30d, "+
				"with a project's id of 1 to 64 of a-z, 0-9, _ and -", n+1)
		}
		if _, twice := out[project]; twice {
			return nil, fmt.Errorf("%s is there twice", project)
		}
		d, err := settings.ParseDuration(text)
		if err == nil {
			err = Check(d)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", project, err)
		}
		out[project] = d
	}
	return out, nil
}
