package clickhouse

import (
	"maps"
	"slices"
	"strings"
)

// insertSettings go with every insert, where the server knows them. Since ClickHouse 26.3 inserts are asynchronous
// unless told otherwise, and an asynchronous insert is not on disk when it is answered. A block's rows may fall into
// more table partitions than the default of 100 allows: 128 days, or 241 months in a table of an earlier version. A
// block must stay one block, and its token must count.
//
// Without optimize_on_insert = 0 the server merges each block in itself before it writes the block, a row at a time
// over all columns. That took half of an insert: 100,000 rows of 200 bytes took 495 ms with it, and 236 ms without. Two
// copies of an event in one block then merge later, with those of other blocks. The view events hides them until then.
var insertSettings = map[string]string{
	"async_insert":                    "0",
	"max_partitions_per_insert_block": "300",
	"use_strict_insert_block_limits":  "0",
	"insert_deduplicate":              "1",
	"deduplicate_insert":              "enable",
	"optimize_on_insert":              "0",
}

// tokenSetting names a block, so that ClickHouse recognises the block when it comes again.
const tokenSetting = "insert_deduplication_token"

// clusterSettings go with every insert that waits for other replicas. The server waits for less time than an attempt
// takes, so that the server's answer arrives.
func clusterSettings(quorum string) map[string]string {
	if quorum == "" || quorum == "1" {
		return nil
	}
	return map[string]string{"insert_quorum": quorum, "insert_quorum_parallel": "1", "insert_quorum_timeout": "60000"}
}

// needed are the settings that no server should lack, and what happens on a server that lacks them. The other settings
// replace an older one, or lift a limit that an older server does not have.
var needed = map[string]string{
	tokenSetting:                      "after a crash rows may be there twice until they merge",
	"async_insert":                    "inserts may be answered before they are on disk",
	"max_partitions_per_insert_block": "blocks of many days may be refused",
}

// readSettings are what the questions need, whatever the user's profile has. The questions are small, and an answer
// that is cut short without an error would make rows seem to be missing, which would then be inserted twice. A setting
// is sent where the profile has another value and lets it be changed.
var readSettings = map[string]string{
	"force_primary_key":           "0",
	"force_index_by_date":         "0",
	"max_rows_to_read":            "0",
	"max_rows_to_read_leaf":       "0",
	"max_bytes_to_read":           "0",
	"max_bytes_to_read_leaf":      "0",
	"max_result_rows":             "0",
	"max_result_bytes":            "0",
	"max_partitions_to_read":      "-1",
	"read_overflow_mode":          "throw",
	"read_overflow_mode_leaf":     "throw",
	"result_overflow_mode":        "throw",
	"timeout_overflow_mode":       "throw",
	"timeout_overflow_mode_leaf":  "throw",
	"final":                       "0",
	"use_query_cache":             "0",
	"force_data_skipping_indices": "''",
	"additional_table_filters":    "{}",
}

// readClause is the SETTINGS clause of a question, or nothing. On ClickHouse Cloud another server may have answered the
// insert: the question waits until this server knows what all of them know.
func (s *Server) readClause() string {
	var parts []string
	if s.Cloud {
		parts = append(parts, "select_sequential_consistency = 1")
	}
	for _, name := range slices.Sorted(maps.Keys(readSettings)) {
		want := readSettings[name]
		if value, known := s.values[name]; known && !s.pinned[name] && value != strings.Trim(want, "'") {
			parts = append(parts, name+" = "+literal(want))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " SETTINGS " + strings.Join(parts, ", ")
}

// literal quotes a value that is a word.
func literal(value string) string {
	if strings.Trim(value, "-0123456789") == "" || value[0] == '\'' || value[0] == '{' {
		return value
	}
	return Quote(value)
}
