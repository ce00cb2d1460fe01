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

// insertSettings go with every insert, where the server knows them. Since ClickHouse 26.3 inserts are asynchronous unless told
// otherwise, and an asynchronous insert is not on disk when it is answered. A block's rows may fall into more table partitions
// than the default of 100 allows: 240 months and one. A block must stay one block, and its token count.
//
// optimize_on_insert has the server merge each block in itself before it is written, a row at a time over all columns, which
// took half of an insert: 100,000 rows of 200 bytes in 495 ms, in 236 without. Two copies of an event in one block then merge
// with those of other blocks, later; who asks sluice.events does not see them before either.
var insertSettings = map[string]string{
	"async_insert":                    "0",
	"max_partitions_per_insert_block": "300",
	"use_strict_insert_block_limits":  "0",
	"insert_deduplicate":              "1",
	"deduplicate_insert":              "enable",
	"optimize_on_insert":              "0",
}

// tokenSetting names a block, so that ClickHouse knows it when it comes again.
const tokenSetting = "insert_deduplication_token"

// clusterSettings go with every insert into a replicated table that waits for other replicas. How long it waits is less than an
// attempt takes, so that ClickHouse's answer is waited for.
func clusterSettings(quorum string) map[string]string {
	if quorum == "" || quorum == "1" {
		return nil
	}
	return map[string]string{"insert_quorum": quorum, "insert_quorum_parallel": "1", "insert_quorum_timeout": "60000"}
}

// needed says, of the settings that no server should lack, what comes of it. The others have taken the place of an older setting, or
// lift a limit that an older server does not have.
var needed = map[string]string{
	tokenSetting:                      "after a crash rows may be there twice until they merge",
	"async_insert":                    "inserts may be answered before they are on disk",
	"max_partitions_per_insert_block": "blocks of many months may be refused",
}

// serverQuery asks what is to be known of a server: which settings it knows and how the user has them, where events_raw is not a table to
// insert into, whether it is ClickHouse Cloud, its time, and its version.
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
		" UNION ALL SELECT concat('value ', name, ' ', toString(readonly), ' ', value) FROM system.settings WHERE name IN (" + strings.Join(asked, ", ") + ")" +
		" UNION ALL SELECT 'cloud' FROM system.settings WHERE name = 'cloud_mode' AND value = '1'" +
		" UNION ALL SELECT concat('distributed ', database) FROM system.tables WHERE name = " + Quote(TableName) + " AND engine = 'Distributed'" +
		" UNION ALL SELECT concat('clock ', toString(toUnixTimestamp64Milli(now64(3))))" +
		" UNION ALL SELECT concat('version ', version()) SETTINGS use_query_cache = 0" // which takes no such question
}()

// Server is what is known of the server at the other end of a connection.
type Server struct {
	Version     string
	Cloud       bool
	distributed map[string]bool // databases in which events_raw belongs to a cluster
	knows       map[string]bool
	ahead       time.Duration     // its clock, compared with this process's
	values      map[string]string // of settings, as the user has them
	pinned      map[string]bool   // of these, those that the user cannot change
}

// Inspect asks a server what is to be known of it.
func Inspect(ctx context.Context, db *sql.DB) (*Server, error) {
	rows, err := db.QueryContext(ctx, serverQuery)
	if err != nil {
		return nil, fmt.Errorf("inspect the server: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err says it
	s := &Server{}
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, fmt.Errorf("inspect the server: %w", err)
		}
		s.learn(line)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("inspect the server: %w", err)
	}
	return s, nil
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

// settings are those of one insert, with more of them for a replicated table. One that the user's profile pins to the value wanted is
// left out: to send it is forbidden on some versions, even as it is.
func (s *Server) settings(token string, more map[string]string) map[string]string {
	out := make(map[string]string, len(insertSettings)+len(more)+1)
	for _, settings := range []map[string]string{insertSettings, more} {
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

// UnfitError says in one sentence why a server is not used.
type UnfitError string

func (e UnfitError) Error() string { return string(e) }

// Unfit says why nothing is sent to the server, or nothing. One whose version cannot be read may be a good one.
func (s *Server) Unfit() error {
	if year, month, ok := s.age(); ok && (year < 25 || year == 25 && month < 8) {
		return UnfitError("clickhouse " + s.Version + " is older than 25.8, the first version that Sluice works with")
	}
	if s.ahead > mostAhead {
		return UnfitError(fmt.Sprintf("clickhouse's clock is %s ahead of this machine's: it would remove events as too old; set the clocks", s.ahead.Round(time.Minute)))
	}
	return nil
}

// errCloud: there is no cluster to name.
const ErrCloud = UnfitError("this is ClickHouse Cloud, which replicates by itself: leave --clickhouse-cluster out")

// mostAhead is how far ClickHouse's clock may be ahead of this process's. ClickHouse removes events by its own clock, some of them
// within the insert. The shortest retention is a day.
const mostAhead = 12 * time.Hour

func (s *Server) age() (year, month int, ok bool) {
	_, err := fmt.Sscanf(s.Version, "%d.%d", &year, &month)
	return year, month, err == nil
}

// Fault says what is wrong with the server for our purpose, or nothing.
func (s *Server) Fault() string {
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		if !s.knows[name] {
			faults = append(faults, "it does not know the setting "+name+": "+needed[name])
		}
	}
	if _, _, ok := s.age(); !ok {
		faults = append(faults, "its version cannot be read")
	}
	return strings.Join(faults, "; ")
}
