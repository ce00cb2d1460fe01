package column

import (
	"fmt"
	"slices"
	"strings"
)

// Type is the type of a custom column: one of Types.
type Type struct {
	name     string
	nullable bool // the value is NULL where it is missing or of another type
	// value is the expression of a value, given the arguments of JSONExtract without the type.
	value func(t Type, from string) string
}

// String is the type as ClickHouse writes it.
func (t Type) String() string { return t.name }

// bare is the type without Nullable.
func (t Type) bare() string { return strings.TrimSuffix(strings.TrimPrefix(t.name, "Nullable("), ")") }

// Types lists the types that a custom column can have.
func Types() []Type { return slices.Clone(types) }

var types = []Type{
	{name: "String", value: extract},
	{name: "LowCardinality(String)", value: extract},
	{name: "Int64", value: integer},
	{name: "UInt64", value: integer},
	{name: "Float64", value: decimal},
	{name: "Bool", value: boolean},
	{name: "DateTime64(3, 'UTC')", value: moment},
	{name: "UUID", value: extract},
	{name: "Array(String)", value: extract},
	{name: "Nullable(String)", value: extract, nullable: true},
	{name: "Nullable(Int64)", value: integer, nullable: true},
	{name: "Nullable(UInt64)", value: integer, nullable: true},
	{name: "Nullable(Float64)", value: decimal, nullable: true},
	{name: "Nullable(Bool)", value: boolean, nullable: true},
	{name: "Nullable(DateTime64(3, 'UTC'))", value: moment, nullable: true},
	{name: "Nullable(UUID)", value: extract, nullable: true},
}

// ParseType finds a type by its name. Case and spaces do not matter, and DateTime64 needs no arguments.
func ParseType(text string) (Type, error) {
	at := slices.IndexFunc(types, func(t Type) bool { return plain(t.name) == plain(text) })
	if at >= 0 {
		return types[at], nil
	}
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.name
	}
	return Type{}, fmt.Errorf("unknown type %.64q: a custom column is one of %s", text, strings.Join(names, ", "))
}

// plain is the name of a type for a comparison.
func plain(name string) string {
	name = strings.ToLower(strings.Join(strings.Fields(name), ""))
	for _, arguments := range []string{"(3,'utc')", "(3)"} {
		name = strings.ReplaceAll(name, "datetime64"+arguments, "datetime64")
	}
	return name
}

// extract is a value as JSONExtract makes it. JSONExtract never fails: it returns the default of the type, or NULL for a
// nullable one, where the value is missing, null, or cannot be of the type. A string takes any value, as JSON text.
func extract(t Type, from string) string {
	return "JSONExtract(" + from + ", " + quote(t.name) + ")"
}

// textOf is a value as text: that of a string, else JSON.
func textOf(from string) string { return "JSONExtract(" + from + ", 'String')" }

// integer is a whole number, also as a string. JSONExtract would cut off decimals, take true for 1, and make a number of
// the string nan.
func integer(t Type, from string) string {
	if t.nullable {
		return "to" + t.bare() + "OrNull(" + textOf(from) + ")"
	}
	return "to" + t.name + "OrZero(" + textOf(from) + ")"
}

// decimal is a number, also as a string. JSONExtract would take the string nan, which spoils every sum.
func decimal(t Type, from string) string {
	number, none := "toFloat64OrZero("+textOf(from)+")", "0"
	if t.nullable {
		number, none = "toFloat64OrNull("+textOf(from)+")", "NULL"
	}
	return "if(isFinite(" + number + "), " + number + ", " + none + ")"
}

// boolean is true for true and 1, also as strings. JSONExtract would take any number below 256.
func boolean(t Type, from string) string {
	text := textOf(from)
	if !t.nullable {
		return text + " IN ('true', '1')"
	}
	return "multiIf(" + text + " IN ('true', '1'), true, " + text + " IN ('false', '0'), false, NULL)"
}

// moment is a date, with a time or without, or a number of seconds (below 1e11) or milliseconds since 1970, from 1900 to
// 2299. JSONExtract would take a number of seconds for one of milliseconds.
func moment(t Type, from string) string {
	text := textOf(from)
	number := "toFloat64OrNull(" + text + ")"
	ms := "round(if(abs(" + number + ") < 100000000000., " + number + " * 1000, " + number + "))"
	value := "multiIf(match(" + text + ", '^[0-9]{4}-[0-9]{2}-[0-9]{2}'), " +
		"parseDateTime64BestEffortOrNull(" + text + ", 3, 'UTC'), " +
		ms + " BETWEEN -2208988800000 AND 10413791999999, fromUnixTimestamp64Milli(accurateCastOrNull(" + ms + ", 'Int64'), 'UTC'), NULL)"
	if t.nullable {
		return value
	}
	return "ifNull(" + value + ", toDateTime64(0, 3, 'UTC'))"
}

// quote writes a text as a literal of SQL.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
