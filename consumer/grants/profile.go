package grants

import (
	"fmt"
	"strings"
	"time"
)

// element is one setting in the profile of analysts.
type element struct {
	setting string
	value   string // empty: the server's
	max     string // empty: no bound. With one the least is 1, because 0 stands for no limit
	kind    string // constant, changeable
	// limit says that operators may choose the value: what the server has is no difference, whatever it is.
	limit bool
	asked bool // a setting of ours gives the value
}

// The kinds of elements, in ClickHouse's words. With readonly = 1 only changeable settings can be changed.
const (
	constant   = "CONST"
	changeable = "CHANGEABLE_IN_READONLY"
)

// deadlineSlack is what clients add to their own deadline when they send it as max_execution_time, in seconds.
const deadlineSlack = 5

// guards are what the promises to analysts, and about them, rest on.
var guards = []element{
	// Only what is changeable below can be changed, whatever ClickHouse adds. readonly outlives SET ROLE, which lifts
	// the constraints. readonly = 2 would not do: SET ROLE NONE, SET max_memory_usage = 0, SET ROLE DEFAULT.
	{setting: "readonly", value: "1"},
	// level >= 'critical' is an error and not an empty answer.
	{setting: "validate_enum_literals_in_operators", value: "1"},
	// Rows that were erased and not yet removed stay invisible.
	{setting: "apply_deleted_mask", value: "1"},
	// The policy of a table comes before FINAL and before all other conditions. project_id is in the sorting key, so
	// that the answer is the same.
	{setting: "apply_row_policy_after_final", value: "0"},
	// Some versions remember for all users which granules match a condition, and forget that a policy had a part in it.
	{setting: "use_query_condition_cache", value: "0"},
	// In versions before September 2026, ORDER BY timestamp LIMIT 1 would look only where the last rows of all projects
	// are.
	{setting: "use_skip_indexes_for_top_k", value: "0"},
	// Other servers would read for the analyst as another user.
	{setting: "allow_experimental_parallel_reading_from_replicas", value: "0"},
	{setting: "serialize_query_plan", value: "0"},
	{setting: "use_query_cache", value: "0"},
	{setting: "allow_introspection_functions", value: "0"},
	{setting: "log_queries", value: "1"},
	// A limit is an error and never a part of the answer, unless the client asks for the part.
	{setting: "read_overflow_mode", value: "throw"},
	{setting: "timeout_overflow_mode", value: "throw"},
	// A closed tab ends its query.
	{setting: "cancel_http_readonly_queries_on_client_close", value: "1"},
}

// clientSettings are what clients send with a query: Grafana, JDBC, clickhouse-connect, clickhouse-go and the questions
// of docs/queries.md. None of them shows more rows.
var clientSettings = []string{
	"add_http_cors_header", "cast_keep_nullable", "connect_timeout", "connect_timeout_with_failover_ms",
	"date_time_input_format", "date_time_output_format", "enable_http_compression", "extremes", "format_csv_delimiter",
	"group_by_use_nulls", "http_headers_progress_interval_ms", "http_receive_timeout", "http_response_buffer_size",
	"http_send_timeout", "http_wait_end_of_query", "http_zlib_compression_level", "join_use_nulls", "log_comment",
	"max_block_size", "network_compression_method", "optimize_skip_unused_shards",
	"output_format_json_named_tuples_as_objects", "output_format_json_quote_64bit_floats",
	"output_format_json_quote_64bit_integers", "output_format_json_quote_decimals",
	"output_format_json_quote_denormals", "output_format_native_encode_types_in_binary_format",
	"output_format_pretty_row_numbers", "receive_timeout",
	"result_overflow_mode", "select_sequential_consistency", "send_progress_in_http_headers", "send_timeout",
	"session_timezone", "totals_mode",
}

// elements are the settings of the profile, in the order of its statement.
func (c Config) elements() []element {
	out := make([]element, 0, len(guards)+len(clientSettings)+12)
	for _, g := range guards {
		g.kind = constant
		out = append(out, g)
	}
	most := func(setting string, given *uint64, standard uint64) {
		value, asked := standard, given != nil
		if asked {
			value = *given
		}
		text := fmt.Sprint(value)
		out = append(out, element{
			setting: setting, value: text, max: text, kind: changeable, limit: true, asked: asked,
		})
	}
	longest := defaultMaxTime
	if c.MaxTime != nil {
		longest = time.Duration(*c.MaxTime)
	}
	seconds := int64(longest.Seconds())
	out = append(out, element{
		setting: "max_execution_time", value: fmt.Sprint(seconds), max: fmt.Sprint(seconds + deadlineSlack),
		kind: changeable, limit: true, asked: c.MaxTime != nil,
	})
	most("max_memory_usage", c.MaxMemory, defaultMaxMemory)
	most("max_rows_to_read", c.MaxRowsRead, defaultMaxRowsRead)
	most("max_bytes_to_read", nil, 500_000_000_000)
	most("max_result_rows", c.MaxResultRows, defaultMaxResultRows)
	most("max_result_bytes", nil, 1<<30)
	for _, limit := range []element{
		{setting: "max_memory_usage_for_user", value: "8589934592"},
		{setting: "max_concurrent_queries_for_user", value: "50"},
		{setting: "max_temporary_data_on_disk_size_for_query", value: "10737418240"},
	} {
		limit.kind, limit.limit = constant, true
		out = append(out, limit)
	}
	for _, name := range clientSettings {
		out = append(out, element{setting: name, kind: changeable})
	}
	return out
}

// clause writes an element as the statement has it.
func (e element) clause() string {
	text := e.setting
	if e.value != "" {
		text += " = " + literal(e.value)
	}
	if e.max != "" {
		text += " MIN 1 MAX " + e.max
	}
	return text + " " + e.kind
}

// text is the element as the inventory has it.
func (e element) text() string {
	least := ""
	if e.max != "" {
		least = "1"
	}
	return strings.Join([]string{e.value, least, e.max, e.kind}, " ")
}

// literal writes a setting's value: a number as it is, a word in quotes.
func literal(value string) string {
	if strings.Trim(value, "0123456789") == "" {
		return value
	}
	return "'" + value + "'"
}
