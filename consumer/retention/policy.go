package retention

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The limits of a retention. ClickHouse counts a table's TTL in seconds of 32 bits, which end in 2106. A TTL beyond
// that starts again in 1970, and ClickHouse would remove all rows at once.
const (
	Default = 90 * day // of a new table
	Min     = day
	Max     = 18250 * day
)

const day = 24 * time.Hour

// Policy says for how long rows are kept after their receipt.
type Policy struct {
	// All is for the projects without a time of their own.
	All time.Duration
	// Projects are the times of other projects, by id.
	Projects map[string]time.Duration
}

// Of returns for how long the rows of a project are kept.
func (p Policy) Of(project string) time.Duration {
	if d, ok := p.Projects[project]; ok {
		return d
	}
	return p.All
}

// Longest returns for how long any row may be kept.
func (p Policy) Longest() time.Duration {
	longest := p.All
	for _, d := range p.Projects {
		longest = max(longest, d)
	}
	return longest
}

// Shortest returns for how long every row is kept.
func (p Policy) Shortest() time.Duration {
	shortest := p.All
	for _, d := range p.Projects {
		shortest = min(shortest, d)
	}
	return shortest
}

// Equal reports whether two policies keep the rows of every project for the same time.
func (p Policy) Equal(other Policy) bool { return !p.Shorter(other) && !other.Shorter(p) }

// Shorter reports whether rows of some project are kept for less time than by another policy.
func (p Policy) Shorter(than Policy) bool {
	if p.All < than.All {
		return true
	}
	for _, projects := range []map[string]time.Duration{p.Projects, than.Projects} {
		for project := range projects {
			if p.Of(project) < than.Of(project) {
				return true
			}
		}
	}
	return false
}

// String is the policy in words: 90d, or 90d, demo 7d, shop 30d.
func (p Policy) String() string {
	text := Days(p.All)
	for _, project := range slices.Sorted(maps.Keys(p.Projects)) {
		text += ", " + project + " " + Days(p.Projects[project])
	}
	return text
}

// Days writes a duration as the setting is written.
func Days(d time.Duration) string {
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.String()
}

// TTL is the policy as the TTL of the table of events. Rows are due at the end of the day (UTC) on which their time is
// over, so that those of a day are due together.
func (p Policy) TTL() string {
	seconds := strconv.FormatInt(due(p.All), 10)
	if len(p.Projects) > 0 {
		var names, times []string
		for _, project := range slices.Sorted(maps.Keys(p.Projects)) {
			names = append(names, "'"+project+"'") // a project's id needs no escapes
			times = append(times, strconv.FormatInt(due(p.Projects[project]), 10))
		}
		seconds = fmt.Sprintf("transform(project_id, [%s], [%s], %s)",
			strings.Join(names, ", "), strings.Join(times, ", "), seconds)
	}
	return "toStartOfDay(received_at) + toIntervalSecond(" + seconds + ")"
}

// due is when rows are due, in seconds from the beginning of the day on which they were received.
func due(d time.Duration) int64 { return int64((d + day) / time.Second) }

var (
	// exactTTL matches the TTL of an earlier version, by which a row is due to the second, and those in other units.
	exactTTL = regexp.MustCompile(
		`^toDateTime\(received_at\) \+ toInterval(Second|Minute|Hour|Day|Week)\((\d{1,10})\)( DELETE)?$`)
	dayTTL = regexp.MustCompile(`^toStartOfDay\(received_at\) \+ toIntervalSecond\((?:(\d{1,10})|` +
		`transform\(project_id, \[([^]]+)\], \[([^]]+)\], (\d{1,10})\))\)( DELETE)?$`)
)

// Parse reads a TTL. It is not ok if the TTL says something else than a time after receipt, by project.
func Parse(ttl string) (p Policy, ok bool) {
	if m := exactTTL.FindStringSubmatch(ttl); m != nil {
		unit := map[string]time.Duration{
			"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour, "Day": day, "Week": 7 * day,
		}[m[1]]
		n, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil || n > int64(Max/unit)*10 {
			return p, false
		}
		return Policy{All: time.Duration(n) * unit}, true
	}
	m := dayTTL.FindStringSubmatch(ttl)
	if m == nil {
		return p, false
	}
	if p.All, ok = after(m[1] + m[4]); !ok || m[2] == "" {
		return p, ok
	}
	names, times := strings.Split(m[2], ", "), strings.Split(m[3], ", ")
	if len(names) != len(times) {
		return p, false
	}
	p.Projects = map[string]time.Duration{}
	for i, name := range names {
		if p.Projects[strings.Trim(name, "'")], ok = after(times[i]); !ok {
			return p, false
		}
	}
	return p, true
}

// after is the retention whose rows are due after some seconds: see due.
func after(seconds string) (time.Duration, bool) {
	n, err := strconv.ParseInt(seconds, 10, 64)
	d := time.Duration(n)*time.Second - day
	return d, err == nil && d > 0 && n <= int64(Max/time.Second)*10
}

// engineTTL matches the TTL in the definition of an engine, as system.tables has it.
var engineTTL = regexp.MustCompile(` TTL (.*?)( SETTINGS |$)`)

// OfEngine reads the TTL of the table of events from its engine_full of system.tables. It is not ok if the table keeps
// rows for ever, or has a TTL that was made by hand.
func OfEngine(engine string) (Policy, bool) {
	m := engineTTL.FindStringSubmatch(engine)
	if m == nil {
		return Policy{}, false
	}
	return Parse(m[1])
}
