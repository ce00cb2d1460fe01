package clickhouse

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// readSettings are what the questions to the table need, whatever the user's profile has: they are small, and an answer that is cut short
// without an error would make rows seem to be missing, which would then be inserted twice. They are sent where the profile has another
// value and lets it be changed.
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

// readClause are the settings of a question, as the end of its text.
func (s *Server) readClause() string {
	var parts []string
	if s.Cloud { // another server may have answered the insert: the answer waits until this one knows what all do
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

// literal quotes what is a word.
func literal(value string) string {
	if strings.Trim(value, "-0123456789") == "" || value[0] == '\'' || value[0] == '{' {
		return value
	}
	return Quote(value)
}

// offsetsBetween asks which rows there are between two offsets. Where the answer, or the way to it, is larger than the server allows, it
// asks for the halves.
func (i *inserter) offsetsBetween(ctx context.Context, where string, first, last int64, each func(int64, uuid.UUID)) error {
	var got []stored
	err := i.ask(ctx, between(where, first, last), func(offset int64, id uuid.UUID) { got = append(got, stored{offset, id}) })
	switch {
	case err == nil:
		for _, row := range got {
			each(row.offset, row.id)
		}
		return nil
	case FaultOf(err) != FaultSize || first == last:
		return err
	}
	middle := first + (last-first)/2
	if err := i.offsetsBetween(ctx, where, first, middle, each); err != nil {
		return err
	}
	return i.offsetsBetween(ctx, where, middle+1, last, each)
}
