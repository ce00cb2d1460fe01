package clickhouse

import (
	"errors"
	"fmt"
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// The setting is found in each form of ClickHouse's messages.
func TestSettingOf(t *testing.T) {
	for text, want := range map[string]string{
		"Setting async_insert should not be changed.":                                        "async_insert",
		"Setting max_partitions_per_insert_block shouldn't be greater than 100.":             "max_partitions_per_insert_block",
		"Cannot modify 'async_insert' setting in readonly mode.":                             "async_insert",
		"Limit for rows (controlled by 'max_rows_to_read' setting) exceeded, max rows: 1.00": "max_rows_to_read",
		"Primary key (a, b) is not used and setting 'force_primary_key' is set.":             "force_primary_key",
		"Unknown setting 'deduplicate_insert'":                                               "deduplicate_insert",
		"nobody: Cannot execute query in readonly mode.":                                     "",
		"Limit for result exceeded, max rows: 1.00, current rows: 40.00 thousand.":           "",
	} {
		if got := settingOf(errors.New(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// The log has the code of a refusal and what failed in the table, and nothing of the row. An error that is about no row
// is logged whole.
func TestReasonText(t *testing.T) {
	for text, want := range map[string]string{
		"675 Cannot parse IPv4 ::1: Cannot parse IPv4 from String: while executing 'FUNCTION toIPv4(message : 0) -> toIPv4(message) IPv4 : 25'. (CANNOT_PARSE_IPV4) (version 26.7.2.1)": "clickhouse refuses the rows: code 675 CANNOT_PARSE_IPV4, in toIPv4(message)",
		"469 Constraint `calm` for table a.b (0-0) is violated at row 1. Expression: (x). Column values: message = 'secret'. (VIOLATED_CONSTRAINT)":                                     "clickhouse refuses the rows: code 469 VIOLATED_CONSTRAINT, constraint calm",
		"99999 something new about 'secret'": "clickhouse refuses the rows: code 99999 UNKNOWN",
		"60 Table a.b does not exist":        "clickhouse: Table a.b does not exist",
	} {
		var code int
		var rest string
		_, _ = fmt.Sscanf(text, "%d", &code)
		rest = text[len(fmt.Sprint(code))+1:]
		if got := ReasonText(&ServerError{Code: code, Text: rest}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	native := &ch.Exception{Code: proto.ErrCannotParseIpv4, Name: "DB::Exception", Message: "DB::Exception: Cannot parse secret"}
	if got := ReasonText(fmt.Errorf("insert: %w", native)); got != "clickhouse refuses the rows: code 675 CANNOT_PARSE_IPV4" {
		t.Error(got)
	}
}

// The column is found by its name in the message, or by its expression, which may be cut short and written differently.
func TestColumnOf(t *testing.T) {
	names := []string{"message", "ip", "port", "level", "day"}
	expressions := []string{"", "toIPv4(JSONExtractString(payload, 'user', 'ip'))", "toUInt16(if(length(message) = 0, '0', message))", "message", "toDate(message)"}
	at := func(expression, kind string) string {
		return "while executing 'FUNCTION f(x : 0) -> " + expression + " " + kind + " : 25'. (X)"
	}
	for text, want := range map[string]string{
		at("toIPv4(JSONExtractString(payload, 'user'_String, 'ip'_String))", "IPv4"):        "ip",
		at("toIPv4(JSONExtractString(payload, 'us...", "IPv4"):                              "ip",
		at("toUInt16(if(equals(length(message), 0_UInt8), '0'_String, message))", "UInt16"): "port",
		at("_CAST(message, 'Enum8(\\'a\\' = 1)'_String)", "Enum8('a' = 1)"):                 "level",
		at("toDate(message)", "Date"):                                                       "day",
		at("somethingElse(message)", "Date"):                                                "",
		"Cannot insert NULL into column `ip`":                                               "ip",
		"Column values: message = 'x'":                                                      "",
		"nothing of use":                                                                    "",
	} {
		if got := columnOf(errors.New(text), names, expressions); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
