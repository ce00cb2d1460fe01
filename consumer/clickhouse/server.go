package clickhouse

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serverQuery asks a server which settings it knows and which values the user has, in which databases events_raw is a
// Distributed table, whether it is ClickHouse Cloud, its time, and its version. The query cache refuses such a
// question.
var serverQuery = func() string {
	names := []string{Quote(tokenSetting)}
	for _, settings := range []map[string]string{insertSettings, clusterSettings("auto")} {
		for name := range settings {
			names = append(names, Quote(name))
		}
	}
	slices.Sort(names)
	asked := slices.Clone(names)
	for name := range readSettings {
		asked = append(asked, Quote(name))
	}
	slices.Sort(asked)
	return "SELECT name FROM system.settings WHERE name IN (" + strings.Join(names, ", ") + ")" +
		" UNION ALL SELECT concat('value ', name, ' ', toString(readonly), ' ', value) FROM system.settings" +
		" WHERE name IN (" + strings.Join(asked, ", ") + ")" +
		" UNION ALL SELECT 'cloud' FROM system.settings WHERE name = 'cloud_mode' AND value = '1'" +
		" UNION ALL SELECT concat('distributed ', database) FROM system.tables" +
		" WHERE name = " + Quote(TableName) + " AND engine = 'Distributed'" +
		" UNION ALL SELECT concat('clock ', toString(toUnixTimestamp64Milli(now64(3))))" +
		" UNION ALL SELECT concat('version ', version()) SETTINGS use_query_cache = 0"
}()

// Server is what is known of a server.
type Server struct {
	Version string
	Cloud   bool // it is ClickHouse Cloud

	distributed map[string]bool // databases in which events_raw belongs to a cluster
	knows       map[string]bool // settings
	ahead       time.Duration   // its clock, compared with this process's
	values      map[string]string
	pinned      map[string]bool // settings that the user cannot change
}

// Inspect asks a server what must be known of it.
func Inspect(ctx context.Context, db *sql.DB) (*Server, error) {
	lines, err := Texts(ctx, db, serverQuery)
	if err != nil {
		return nil, err
	}
	s := &Server{}
	for _, line := range lines {
		s.learn(line)
	}
	return s, nil
}

// Texts asks a question whose answer has one column of texts.
func Texts(ctx context.Context, db *sql.DB, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("inspect the server: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err says it
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("inspect the server: %w", err)
		}
		out = append(out, text)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("inspect the server: %w", err)
	}
	return out, nil
}

// learn takes one line of the answer to serverQuery.
func (s *Server) learn(line string) {
	kind, rest, _ := strings.Cut(line, " ")
	switch kind {
	case "version":
		s.Version = rest
	case "clock":
		if ms, err := strconv.ParseInt(rest, 10, 64); err == nil {
			s.ahead = time.Until(time.UnixMilli(ms))
		}
	case "cloud":
		s.Cloud = true
	case "value":
		s.learnValue(rest)
	case "distributed":
		if s.distributed == nil {
			s.distributed = map[string]bool{}
		}
		s.distributed[rest] = true
	default:
		if s.knows == nil {
			s.knows = map[string]bool{}
		}
		s.knows[line] = true
	}
}

func (s *Server) learnValue(line string) {
	name, rest, _ := strings.Cut(line, " ")
	readonly, value, _ := strings.Cut(rest, " ")
	if s.values == nil {
		s.values, s.pinned = map[string]string{}, map[string]bool{}
	}
	s.values[name] = value
	if readonly != "0" {
		s.pinned[name] = true
	}
}

// settings are the settings of one insert. A setting that the user's profile pins to the wanted value is left out,
// because some versions forbid sending it even so.
func (s *Server) settings(token string, extra map[string]string) map[string]string {
	out := make(map[string]string, len(insertSettings)+len(extra)+1)
	for _, settings := range []map[string]string{insertSettings, extra} {
		for name, value := range settings {
			if s.knows[name] && !(s.pinned[name] && s.values[name] == value) {
				out[name] = value
			}
		}
	}
	if token != "" && s.knows[tokenSetting] {
		out[tokenSetting] = token
	}
	return out
}

// maxClockAhead is how far ClickHouse's clock may be ahead of this process's. ClickHouse removes events by its own
// clock, some of them within the insert. The shortest retention is a day.
const maxClockAhead = 12 * time.Hour

// Unsuitable says why nothing is sent to the server, or returns nil. A server whose version cannot be read may be a
// good one.
func (s *Server) Unsuitable() error {
	if year, month, ok := s.release(); ok && (year < 25 || year == 25 && month < 8) {
		return UnsuitableError("clickhouse " + s.Version +
			" is older than 25.8, the first version that Sluice works with")
	}
	if s.ahead > maxClockAhead {
		return UnsuitableError(fmt.Sprintf("clickhouse's clock is %s ahead of this machine's: "+
			"clickhouse would remove events as too old; set the clocks", s.ahead.Round(time.Minute)))
	}
	return nil
}

// release is the year and month of the server's version.
func (s *Server) release() (year, month int, ok bool) {
	_, err := fmt.Sscanf(s.Version, "%d.%d", &year, &month)
	return year, month, err == nil
}

// Fault says what is wrong with a server that is used all the same, or returns nothing.
func (s *Server) Fault() string {
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		if !s.knows[name] {
			faults = append(faults, "it does not know the setting "+name+": "+needed[name])
		}
	}
	if _, _, ok := s.release(); !ok {
		faults = append(faults, "its version cannot be read")
	}
	return strings.Join(faults, "; ")
}
