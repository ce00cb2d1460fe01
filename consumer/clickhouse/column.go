package clickhouse

import (
	"context"
	"regexp"
	"slices"
	"strings"
)

// Column names the column that an insert failed at: the one that ClickHouse's message names, or the one whose
// expression failed. It asks the server for the table's columns. It returns nothing where it cannot tell.
func (t *Table) Column(ctx context.Context, why error) string {
	cfg := t.topology.cfg
	opts, err := cfg.Options()
	if err != nil {
		return ""
	}
	table := TableName
	if cfg.Cluster != "" {
		table = LocalTable
	}
	lines, err := discovery{cfg}.ask(ctx, "SELECT concat(name, ' ', default_expression) FROM system.columns"+
		" WHERE database = "+Quote(opts.Auth.Database)+" AND table = "+Quote(table))
	if err != nil {
		return ""
	}
	var names, expressions []string
	for _, line := range lines {
		name, expression, _ := strings.Cut(line, " ")
		names, expressions = append(names, name), append(expressions, expression)
	}
	return columnOf(why, names, expressions)
}

// columnOf finds the column in the message, given the names of all columns and their default expressions.
func columnOf(why error, names, expressions []string) string {
	if m := columnNamed.FindStringSubmatch(why.Error()); m != nil && slices.Contains(names, m[1]) {
		return m[1]
	}
	failed := words(failedExpression(why))
	if len(failed) == 0 {
		return ""
	}
	var found []string
	for n, expression := range expressions {
		if e := words(expression); len(e) > 0 && (within(failed, e) || failed[0] == "_CAST" && within(e, failed)) {
			found = append(found, names[n])
		}
	}
	return strings.Join(found, " or ")
}

var (
	wordPattern = regexp.MustCompile(`'(?:\\.|[^'\\])*'|[A-Za-z_][A-Za-z0-9_]*|[0-9][0-9.]*`)
	literalType = regexp.MustCompile(`(['\d\])])_[A-Z]\w*(?:\([^()]*\))?`)
)

// operators are functions that a column's definition may write as signs.
var operators = []string{
	"equals", "notEquals", "less", "greater", "lessOrEquals", "greaterOrEquals", "plus", "minus", "multiply", "divide",
	"modulo", "negate", "and", "or", "not", "AND", "OR", "NOT", "concat", "in", "notIn", "IN", "like", "LIKE", "if",
	"array", "tuple", "arrayElement", "tupleElement",
}

// words lists the names and literals of an expression in their order. It leaves operators out, because a definition
// writes a sign where a message writes a function, and the types that messages add to literals. A message may cut an
// expression short; the rest is left out.
func words(expression string) []string {
	expression, _, _ = strings.Cut(expression, "...")
	expression = strings.ReplaceAll(literalType.ReplaceAllString(expression, "$1"), `\'`, `'`)
	var out []string
	for _, word := range wordPattern.FindAllString(expression, -1) {
		if !slices.Contains(operators, word) {
			out = append(out, strings.Trim(word, "'"))
		}
	}
	return out
}

// within reports whether some words occur in others, one after the other. The last word may be cut short.
func within(some, others []string) bool {
	last := len(some) - 1
	for at := 0; at+len(some) <= len(others); at++ {
		if slices.Equal(some[:last], others[at:at+last]) && strings.HasPrefix(others[at+last], some[last]) {
			return true
		}
	}
	return false
}
