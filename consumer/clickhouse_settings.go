package consumer

import (
	"fmt"
	"strings"
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

// serverQuery lists which of them the server knows, and its version.
var serverQuery = func() string {
	names := []string{quoted(tokenSetting)}
	for name := range insertSettings {
		names = append(names, quoted(name))
	}
	return "SELECT name FROM system.settings WHERE name IN (" + strings.Join(names, ", ") + ") UNION ALL SELECT concat('version ', version())"
}()

// server is what is known of the server at the other end of a connection.
type server struct {
	version string
	knows   map[string]bool
}

// learn takes one line of the answer to serverQuery.
func (s *server) learn(line string) {
	if version, ok := strings.CutPrefix(line, "version "); ok {
		s.version = version
		return
	}
	if s.knows == nil {
		s.knows = map[string]bool{}
	}
	s.knows[line] = true
}

// settings are those of one insert.
func (s *server) settings(token string) map[string]string {
	out := make(map[string]string, len(insertSettings)+1)
	for name, value := range insertSettings {
		if s.knows[name] {
			out[name] = value
		}
	}
	if token != "" && s.knows[tokenSetting] {
		out[tokenSetting] = token
	}
	return out
}

// fault says what is wrong with the server for our purpose, or nothing.
func (s *server) fault() string {
	var year, month int
	switch _, err := fmt.Sscanf(s.version, "%d.%d", &year, &month); {
	case !s.knows[tokenSetting]:
		return "it does not know insert tokens: after a crash rows may be there twice until they merge"
	case err != nil:
		return "its version cannot be read"
	case year < 25 || year == 25 && month < 8:
		return "it is older than 25.8, with which nothing was tested"
	}
	return ""
}
