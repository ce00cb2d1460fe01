package clickhouse

import (
	"errors"
	"regexp"
	"strings"
)

// settingName finds the setting in a message such as "Setting async_insert should not be changed", "Cannot modify
// 'async_insert' setting in readonly mode", "(controlled by 'max_rows_to_read' setting)" or "setting
// 'force_primary_key' is set".
var settingName = regexp.MustCompile("(?:[Ss]etting [`'\"]?|[Mm]odify [`'\"]?|controlled by [`'\"]?)" +
	"([a-z][a-z0-9]*_[a-z0-9_]+)")

// settingOf is the setting that an error names. Empty: it names none.
func settingOf(err error) string {
	if m := settingName.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// Hint returns one sentence for the operator: what to do about an error of ClickHouse's.
func Hint(err error) string {
	if _, unsuitable := errors.AsType[UnsuitableError](err); unsuitable {
		return "nothing is sent until this is fixed"
	}
	setting := settingOf(err)
	switch code := Code(err); code {
	case 60, 81:
		return "run `consumer migrate`: it makes the database and the tables"
	case 16, 47:
		return "run `consumer migrate`: the table is of an older version"
	case 115, 164, 277, 452:
		return hintSetting(code, setting)
	case 497:
		return hintRights
	case 192, 193, 194, 516:
		return "check user and password in --clickhouse-dsn"
	case 195:
		return "the user may not come from this address: see its HOST in ClickHouse"
	case 252:
		if FaultOf(err) == FaultSetup {
			return "the user's profile must allow max_partitions_per_insert_block=300"
		}
	}
	switch FaultOf(err) {
	case FaultData:
		return HintEverything
	case FaultSize:
		return hintSize(err, setting)
	case FaultSetup:
		return "see the message; the consumer retries until it succeeds"
	default:
		return "nothing to do if it passes"
	}
}

const (
	hintRights = "the user needs INSERT and SELECT on the table, and with --clickhouse-cluster SELECT on system.clusters"
	// HintEverything is the hint for a table that refuses every row.
	HintEverything = "the table refuses every row: compare its columns and constraints with the schema"
)

// hintSetting is the hint about a setting that the user's profile forbids or requires.
func hintSetting(code int, setting string) string {
	switch want, sent := sentValue(setting); {
	case setting == "" && code == 164:
		return "the user's profile is readonly: INSERT needs readonly=0 there, and the user INSERT and SELECT on the table"
	case setting == "":
		return "a constraint in the user's profile forbids a setting that is sent: allow it"
	case sent:
		return "the user's profile must allow " + setting + ", or have it at " + want + " already"
	default:
		return "the user's profile must not set " + setting + ", or must allow it to be changed"
	}
}

// sentValue is the value of a setting that inserts or questions send.
func sentValue(setting string) (value string, sent bool) {
	if value, sent = insertSettings[setting]; !sent {
		value, sent = readSettings[setting]
	}
	return value, sent
}

// hintSize is the hint about a limit. A limit that small blocks exceed too is set too low, unless the error passes by
// itself.
func hintSize(err error, setting string) string {
	switch code := Code(err); {
	case setting != "":
	case httpStatus(err) != 0 && code == 0:
		return "the proxy in front of ClickHouse takes no larger bodies: " +
			"raise its limit (nginx: client_max_body_size) if this does not pass"
	case code == 159 || code == 160:
		setting = "max_execution_time"
	case code == 241 && strings.Contains(err.Error(), "User memory"):
		setting = "max_memory_usage_for_user"
	case code == 241:
		setting = "max_memory_usage"
	case code == 396:
		setting = "max_result_rows or max_result_bytes"
	default:
		return "nothing to do if it passes; else raise the limit that the message names in the user's profile"
	}
	return "nothing to do if it passes; else raise " + setting + " in the user's profile"
}
